package slack

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"

	"weeklybot/bot"
)

// spoken is an event in which a member turns to the bot, or brings it into a channel.
type spoken struct {
	origin
	EventID string `json:"event_id"`
	Event   struct {
		Type     string `json:"type"`
		User     string `json:"user"`
		Channel  string `json:"channel"`
		Text     string `json:"text"`
		TS       string `json:"ts"`
		ThreadTS string `json:"thread_ts"`
		BotID    string `json:"bot_id"`
		Tab      string `json:"tab"`
		View     struct {
			Hash string `json:"hash"`
		} `json:"view"`
	} `json:"event"`
}

// spokenEvents are the types of such events.
var spokenEvents = []string{"app_home_opened", "app_mention", "member_joined_channel"}

// self is the bot's own user, "" if Slack does not say.
func (o origin) self() (user string) {
	for _, auth := range o.Authorizations {
		if auth.IsBot {
			user = auth.UserID
		}
	}
	return user
}

// readSpoken is false for events of other kinds, and for those of bots: two that mention each other would never end.
func readSpoken(body []byte) (s spoken, ok bool) {
	var kind struct {
		Type  string
		Event struct{ Type string }
	}
	if json.Unmarshal(body, &kind) != nil || kind.Type != "event_callback" || !slices.Contains(spokenEvents, kind.Event.Type) {
		return s, false
	}
	if json.Unmarshal(body, &s) != nil {
		return s, false
	}
	return s, s.workspace() != "" && s.Event.User != "" && s.Event.Channel != "" && s.Event.BotID == ""
}

// hearSpoken does what a member wants. Slack has its acknowledgement already, and delivers again only what got lost on the way.
func (a *Adapter) hearSpoken(ctx context.Context, in bot.Inbox, s spoken) {
	if s.EventID != "" && !a.heard.first(s.EventID) {
		return
	}
	switch s.Event.Type {
	case "app_home_opened":
		a.homeOpened(ctx, in, s)
	case "member_joined_channel":
		a.joined(ctx, s)
	default:
		a.mentioned(ctx, in, s)
	}
}

// joined greets a channel that the bot was brought into.
func (a *Adapter) joined(ctx context.Context, s spoken) {
	if s.Event.User != s.self() {
		return
	}
	hello := say("大家好！我把每周的技术周刊送到这里。输入 /hot ebpf 提问，或点下面的按钮订阅。\n" +
		"Hello! I bring weekly newsletters here. Ask me with /hot ebpf, or subscribe below.")
	pay := render(KindApp, bot.Post{Part: 1, Parts: 1, Message: hello})
	pay.Blocks = addButton(pay.Blocks, subscribeButton(""))
	where := bot.Channel{Adapter: Name, Kind: KindApp, Workspace: s.workspace(), Address: s.Event.Channel}
	if _, fault := a.postMessage(ctx, where, pay); fault != nil {
		a.log.WarnContext(ctx, "not greeted", "adapter", Name, "channel", where.Address, "code", fault.Code, "err", fault)
	}
}

// mentioned answers a message that mentions the bot, in its thread.
func (a *Adapter) mentioned(ctx context.Context, in bot.Inbox, s spoken) {
	if s.Event.TS == "" {
		return
	}
	cmd := bot.Command{
		ID: "mention " + s.Event.Channel + " " + s.Event.TS, Text: commandText("/weeklybot", mentionText(s)), At: a.now(),
		Channel: bot.Channel{Adapter: Name, Kind: KindApp, Workspace: s.workspace(), Address: s.Event.Channel},
		Member:  bot.Member{ID: s.Event.User},
	}
	msg, _ := a.run(ctx, in, cmd)
	all := responses(msg, cmd.Text)
	for k, pay := range all[:min(len(all), maxResponses)] {
		pay.ResponseType, pay.ThreadTS = "", s.Event.ThreadTS
		if pay.ThreadTS == "" {
			pay.ThreadTS = s.Event.TS
		}
		if _, fault := a.postMessage(ctx, cmd.Channel, pay); fault != nil {
			a.log.WarnContext(ctx, "answer not delivered", "adapter", Name, "channel", cmd.Channel.Address, "part", k+1, "code", fault.Code, "err", fault)
			return
		}
	}
}

// unescape undoes what Slack escapes in a message.
var unescape = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

var angled = regexp.MustCompile(`<([^<>]*)>`)

// mentionText is what a member typed beside the mention, without Slack's markup.
func mentionText(s spoken) string {
	self := s.self()
	first := true
	text := angled.ReplaceAllStringFunc(s.Event.Text, func(token string) string {
		target, label, named := strings.Cut(token[1:len(token)-1], "|")
		switch {
		case strings.HasPrefix(target, "@"):
			mine := self == "" && first || target == "@"+self
			first = false
			if mine {
				return " "
			}
			return target
		case strings.HasPrefix(target, "#") && named:
			return "#" + label
		case strings.HasPrefix(target, "!"):
			return " "
		case named:
			return label
		}
		return target
	})
	return strings.Join(strings.Fields(unescape.Replace(text)), " ")
}

// maxHeard is how many events are remembered, so that one delivered twice is answered once.
const maxHeard = 1024

// heard remembers the ids of events, the newest of them.
type heard struct {
	mu    sync.Mutex
	ids   map[string]bool
	order [maxHeard]string
	next  int
}

// first is true the first time it sees id.
func (h *heard) first(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ids[id] {
		return false
	}
	if h.ids == nil {
		h.ids = make(map[string]bool)
	}
	delete(h.ids, h.order[h.next])
	h.order[h.next], h.ids[id] = id, true
	h.next = (h.next + 1) % maxHeard
	return true
}
