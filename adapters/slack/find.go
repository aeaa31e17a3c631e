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
	botID, err := a.botID(ctx)
	if err != nil {
		return "", false, err
	}
	oldest := strconv.FormatInt(since.Add(-findMargin).Unix(), 10)
	cursor := ""
	for range findPages {
		var messages []slack.Message
		if messages, cursor, err = a.page(ctx, dst.Address, p, oldest, cursor); err != nil {
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
func (a *Adapter) page(ctx context.Context, channel string, p bot.Post, oldest, cursor string) ([]slack.Message, string, error) {
	c := a.call(maxHistoryAnswer)
	if p.Part > 1 && p.First != "" {
		messages, _, next, err := c.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: channel, Timestamp: string(p.First), Oldest: oldest, Cursor: cursor, Limit: findPage, IncludeAllMetadata: true,
		})
		return messages, next, a.lookupError(err, c)
	}
	history, err := c.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
		ChannelID: channel, Oldest: oldest, Cursor: cursor, Limit: findPage, IncludeAllMetadata: true,
	})
	if err == nil && !history.Ok {
		err = slack.SlackErrorResponse{Err: codeUnknown}
	}
	if err != nil {
		return nil, "", a.lookupError(err, c)
	}
	return history.Messages, history.ResponseMetaData.NextCursor, nil
}

func (a *Adapter) lookupError(err error, c *call) error {
	if err == nil {
		return nil
	}
	return a.clean(classifyAPI(err, c.head, a.now()))
}

func isPost(m slack.Message, p bot.Post) bool {
	if p.Message.OnlyImage() {
		return isImage(m, p)
	}
	payload := m.Metadata.EventPayload
	part, _ := payload["part"].(float64)
	return m.Metadata.EventType == eventType && payload["delivery_id"] == p.Key && int(part) == max(p.Part, 1)
}

// botID asks once whom the token belongs to.
func (a *Adapter) botID(ctx context.Context) (string, error) {
	a.self.Lock()
	defer a.self.Unlock()
	if a.self.botID != "" {
		return a.self.botID, nil
	}
	who, err := a.authTest(ctx)
	if err != nil {
		return "", err
	}
	a.self.botID = who.BotID
	return who.BotID, nil
}

// authTest asks Slack whom the token belongs to.
func (a *Adapter) authTest(ctx context.Context) (*slack.AuthTestResponse, error) {
	if !a.cfg.Enabled() {
		return nil, errors.New("bot_token is not set")
	}
	c := a.call(apihttp.MaxAnswer)
	who, err := c.api.AuthTestContext(ctx)
	if err != nil {
		return nil, a.lookupError(err, c)
	}
	if who.BotID == "" {
		return nil, errors.New("the token is not a bot's: want the Bot User OAuth Token, it begins with xoxb-")
	}
	return who, nil
}

// Check tries the bot token.
func (a *Adapter) Check(ctx context.Context) []bot.Checked {
	if !a.cfg.Enabled() {
		return nil
	}
	who, err := a.authTest(ctx)
	if err != nil {
		return []bot.Checked{{What: "adapters.slack.bot_token", Err: err}}
	}
	what := fmt.Sprintf("adapters.slack.bot_token (%s in %s, %s)", apihttp.CleanText(who.User), apihttp.CleanText(who.Team), apihttp.CleanText(who.TeamID))
	return []bot.Checked{{What: what}}
}
