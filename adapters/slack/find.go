package slack

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

const (
	findMargin = time.Minute // Slack's clock and ours
	findPage   = 100
	findPages  = 5
)

// errCannotFind says that a post cannot be looked up: a webhook's leaves no mark and no way to read.
var errCannotFind = errors.New("posts of an incoming webhook cannot be looked up")

// Find looks for p by the metadata it carries, among the messages of this bot only: anyone could copy the metadata. It needs
// channels:history (groups:history in private channels) and the bot in the channel; else the error says so.
func (a *Adapter) Find(ctx context.Context, dst bot.Channel, p bot.Post, since time.Time) (bot.Receipt, bool, error) {
	if dst.Kind != KindApp || p.Key == "" {
		return "", false, errCannotFind
	}
	botID, err := a.botID(ctx, dst.Workspace)
	if err != nil {
		return "", false, err
	}
	oldest := strconv.FormatInt(since.Add(-findMargin).Unix(), 10)
	cursor := ""
	for range findPages {
		var messages []slack.Message
		if messages, cursor, err = a.page(ctx, dst, p, oldest, cursor); err != nil {
			return "", false, err
		}
		for _, m := range messages {
			if m.BotID == botID && isPost(m, p) {
				return bot.Receipt(m.Timestamp), true, nil
			}
		}
		if cursor == "" {
			return "", false, nil
		}
	}
	return "", false, fmt.Errorf("not among the newest %d messages", findPage*findPages)
}

// page reads one page of the channel, or of the thread of part 1: replies are not in a channel's history.
func (a *Adapter) page(ctx context.Context, dst bot.Channel, p bot.Post, oldest, cursor string) ([]slack.Message, string, error) {
	c, fault := a.call(ctx, dst.Workspace, maxHistoryAnswer)
	if fault != nil {
		return nil, "", fault
	}
	if p.Part > 1 && p.First != "" {
		messages, _, next, err := c.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: dst.Address, Timestamp: string(p.First), Oldest: oldest, Cursor: cursor, Limit: findPage, IncludeAllMetadata: true,
		})
		if err != nil {
			return nil, "", c.fault(ctx, err)
		}
		return messages, next, nil
	}
	history, err := c.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
		ChannelID: dst.Address, Oldest: oldest, Cursor: cursor, Limit: findPage, IncludeAllMetadata: true,
	})
	if err == nil && !history.Ok {
		err = slack.SlackErrorResponse{Err: codeUnknown}
	}
	if err != nil {
		return nil, "", c.fault(ctx, err)
	}
	return history.Messages, history.ResponseMetaData.NextCursor, nil
}

func isPost(m slack.Message, p bot.Post) bool {
	if p.Message.OnlyImage() {
		return isImage(m, p)
	}
	payload := m.Metadata.EventPayload
	part, _ := payload["part"].(float64)
	return m.Metadata.EventType == eventType && payload["delivery_id"] == p.Key && int(part) == max(p.Part, 1)
}

// botID is the bot that posts in workspace: noted at the install, or asked for once.
func (a *Adapter) botID(ctx context.Context, workspace string) (string, error) {
	in, fault := a.tokens.get(ctx, workspace)
	if fault != nil {
		return "", fault
	}
	if in.BotID != "" {
		return in.BotID, nil
	}
	a.self.Lock()
	defer a.self.Unlock()
	if a.self.botID != "" {
		return a.self.botID, nil
	}
	who, err := a.authTest(ctx, in)
	if err != nil {
		return "", err
	}
	a.self.botID = who.BotID
	return who.BotID, nil
}

// authTest asks Slack whom the token of in belongs to.
func (a *Adapter) authTest(ctx context.Context, in install) (*slack.AuthTestResponse, error) {
	c := a.callWith(in, apihttp.MaxAnswer)
	who, err := c.api.AuthTestContext(ctx)
	if err != nil {
		return nil, c.fault(ctx, err)
	}
	if who.BotID == "" {
		return nil, errors.New("the token is not a bot's: want the Bot User OAuth Token, it begins with xoxb-")
	}
	return who, nil
}
