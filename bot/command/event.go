package command

import (
	"context"
	"fmt"

	"weeklybot/bot"
)

// Event takes note of a change on a platform. Subscriptions go along with a channel that moved, and wait on probation for one that is
// gone: nothing but a person ends a subscription.
func (r *Router) Event(ctx context.Context, ev bot.Event) error {
	if r.deps.Events == nil {
		return nil
	}
	if err := r.event(ctx, ev); err != nil {
		return fmt.Errorf("event %s of channel %s: %w", ev.Kind, ev.Channel.ID(), err)
	}
	return nil
}

func (r *Router) event(ctx context.Context, ev bot.Event) error {
	switch ev.Kind {
	case bot.EventChannelMoved:
		if ev.NewAddress == "" {
			return nil
		}
		to := ev.Channel
		to.Address = ev.NewAddress
		return r.deps.Events.Moved(ctx, ev.Channel, to)
	case bot.EventChannelRenamed:
		return r.deps.Events.Renamed(ctx, ev.Channel.ID(), ev.NewName)
	case bot.EventChannelGone, bot.EventBotRemoved:
		_, err := r.deps.Events.SetState(ctx, ev.Channel.ID(), bot.StateActive, bot.StateProbation)
		return err
	case bot.EventInstallRevoked:
		if w, ok := r.deps.Events.(WorkspaceEvents); ok {
			return w.WorkspaceGone(ctx, ev.Channel.Adapter, ev.Channel.Workspace)
		}
	}
	return nil
}
