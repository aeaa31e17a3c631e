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
	case bot.EventVote:
		if r.deps.Votes == nil {
			return nil
		}
		return r.deps.Votes.Vote(ctx, ev.Item, ev.Channel.Adapter+"/"+ev.Channel.Workspace+"/"+ev.Member.ID, ev.Vote)
	case bot.EventChannelMoved:
		if ev.NewAddress == "" {
			return nil
		}
		to := ev.Channel
		to.Address = ev.NewAddress
		return r.deps.Events.Moved(ctx, ev.Channel, to)
	case bot.EventChannelRenamed:
		return r.deps.Events.Renamed(ctx, ev.Channel.ID(), ev.NewName)
	case bot.EventChannelGone:
		return r.deps.Events.Ail(ctx, ev.Channel.ID(), bot.Ailment{Code: string(ev.Kind), Since: r.deps.Now()})
	case bot.EventBotRemoved:
		return r.deps.Events.Ail(ctx, ev.Channel.ID(), bot.Ailment{Code: string(ev.Kind), Action: bot.AskInvite, Since: r.deps.Now()})
	case bot.EventInstallRevoked, bot.EventInstallRestored:
		return r.install(ctx, ev)
	}
	return nil
}

// install holds a workspace whose install was revoked, and lets it go on when it is installed again.
func (r *Router) install(ctx context.Context, ev bot.Event) (err error) {
	w, ok := bot.WorkspaceOf(ev.Channel)
	switch {
	case !ok:
	case ev.Kind == bot.EventInstallRevoked:
		_, err = r.deps.Events.Hold(ctx, w, bot.Ailment{Code: string(ev.Kind), Since: r.deps.Now()})
	default:
		_, err = r.deps.Events.Revive(ctx, w)
	}
	return err
}
