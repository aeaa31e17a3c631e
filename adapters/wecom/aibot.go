package wecom

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Modes of an AI bot.
const (
	ModeSocket   = "socket"   // the long connection: hears and pushes
	ModeCallback = "callback" // WeCom calls us: hears, answers, cannot push
)

// aibot is one configured AI bot and, in mode socket, its live connection.
type aibot struct {
	AIBot
	path  string // "adapters.wecom.aibots[0]"
	relay *relay // to the replica that keeps the connection; nil: there is only this one

	mu   sync.Mutex
	live *link
	why  error // why there is no live connection
}

// Why a bot has no connection here.
var (
	errIdle      = errors.New("the bot's connection is not kept by this process")
	errDialing   = errors.New("the bot is not connected yet")
	errElsewhere = errors.New("another replica keeps the bot's connection")
	errTakenOver = errors.New("another program connected as this bot, and WeCom allows one connection: stop that program, or this one, then start again")
)

func newAIBots(cfg Config, deps Deps) (all []*aibot) {
	for k, b := range cfg.AIBots {
		one := &aibot{AIBot: b, path: fmt.Sprintf("adapters.wecom.aibots[%d]", k), why: errIdle}
		if deps.Redis != nil {
			one.relay = newRelay(deps.Redis, leaseKey(deps.RedisPrefix, b))
		}
		all = append(all, one)
	}
	return all
}

func (b AIBot) socket() bool { return b.Mode == "" || b.Mode == ModeSocket }

// workspace is the Workspace of the bot's channels: its name, or the platform's ID of a bot without one.
func (b AIBot) workspace() string {
	if b.Name != "" {
		return b.Name
	}
	return b.BotID
}

func (b *aibot) String() string {
	mode := ModeSocket
	if !b.socket() {
		mode = ModeCallback
	}
	return fmt.Sprintf("%s %s (%s)", b.path, b.workspace(), mode)
}

// set notes the connection, or why there is none.
func (b *aibot) set(live *link, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.live, b.why = live, why
}

func (b *aibot) connection() (*link, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.live, b.why
}

// bot finds the AI bot of a Workspace by its name or its ID.
func (a *Adapter) bot(workspace string) *aibot {
	k := slices.IndexFunc(a.bots, func(b *aibot) bool {
		return workspace == b.workspace() || workspace != "" && workspace == b.BotID || b.workspace() == "" // the only one
	})
	if k < 0 {
		return nil
	}
	return a.bots[k]
}

// maxChatBytes bounds a chatid; WeCom's are about 32 bytes, nothing documents it.
const maxChatBytes = 128

// sendBot pushes into a chat over the live connection, which may be another replica's. chat_type is left out: WeCom then looks for a group
// of that ID first, then for a member (101463, read 2026-11).
func (a *Adapter) sendBot(ctx context.Context, dst bot.Channel, body post) *bot.SendError {
	b := a.bot(dst.Workspace)
	switch {
	case b == nil:
		return refuse(bot.ScopeWorkspace, "no_bot", fmt.Sprintf("no AI bot %q is configured: add it to adapters.wecom.aibots", dst.Workspace))
	case dst.Address == "" || len(dst.Address) > maxChatBytes || strings.ContainsFunc(dst.Address, unicode.IsSpace):
		return refuse(bot.ScopeChannel, "bad_address", "want the chatid of a group that has spoken to the bot, or a userid")
	case !b.socket():
		return refuse(bot.ScopeChannel, "no_push", "this AI bot is in mode callback, which can answer but not push: set mode: socket with bot_id "+
			"and secret, or subscribe a group robot's webhook for this group")
	}
	body.ChatID = dst.Address
	if _, why := b.connection(); errors.Is(why, errElsewhere) && b.relay != nil {
		return b.relay.push(ctx, body)
	}
	return b.push(ctx, body)
}

// push posts over the connection that this replica keeps.
func (b *aibot) push(ctx context.Context, body post) *bot.SendError {
	live, why := b.connection()
	if live != nil {
		if fault := live.uploadImage(ctx, &body); fault != nil {
			return fault
		}
		return live.ask(ctx, cmdSend, newReqID(cmdSend), body)
	}
	if fault, ok := errors.AsType[*bot.SendError](why); ok && isRefusal(fault) {
		again := *fault
		return &again
	}
	return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: codeNoConnection, Err: why}
}

// codeNoConnection is the Code of a push while no connection stands: it has not left.
const codeNoConnection = "no_connection"

// botMessage is what WeCom tells an AI bot, over either door.
type botMessage struct {
	MsgID       string `json:"msgid"`
	AIBotID     string `json:"aibotid"`
	ChatID      string `json:"chatid"` // groups only
	ChatType    string `json:"chattype"`
	CreateTime  int64  `json:"create_time"` // events only
	ResponseURL string `json:"response_url"`
	From        struct {
		UserID string `json:"userid"`
	} `json:"from"`
	MsgType string `json:"msgtype"`
	Text    spoken `json:"text"`
	Voice   spoken `json:"voice"` // 1:1 only, already text
	Mixed   struct {
		Items []struct {
			MsgType string `json:"msgtype"`
			Text    spoken `json:"text"`
		} `json:"msg_item"`
	} `json:"mixed"`
	Event struct {
		Type  string `json:"eventtype"`
		Click click  `json:"template_card_event"`
	} `json:"event"`
}

// clicked says whether the member clicked a button of ours.
func (m botMessage) clicked() bool {
	return m.MsgType == "event" && m.Event.Type == "template_card_event" && m.Event.Click.ours()
}

type spoken struct {
	Content string `json:"content"`
}

// words is what the member wrote or said.
func (m botMessage) words() string {
	switch m.MsgType {
	case "text":
		return m.Text.Content
	case "voice":
		return m.Voice.Content
	case "mixed":
		var texts []string
		for _, item := range m.Mixed.Items {
			if item.MsgType == "text" {
				texts = append(texts, item.Text.Content)
			}
		}
		return strings.Join(texts, " ")
	default:
		return ""
	}
}

// command is what the member asks the bot for, and whether it is anything.
func (b *aibot) command(m botMessage, now time.Time) (cmd bot.Command, ok bool) {
	group := m.ChatType == "group"
	cmd = bot.Command{ID: m.MsgID, At: now, Member: bot.Member{ID: m.From.UserID}}
	cmd.Channel = bot.Channel{Adapter: Name, Kind: KindAIBot, Workspace: b.workspace(), Address: m.From.UserID}
	if group {
		cmd.Channel.Address = m.ChatID
	}
	if cmd.Channel.Workspace == "" { // a lone bot in mode callback needs neither
		cmd.Channel.Workspace = m.AIBotID
	}
	switch {
	case cmd.Member.ID == "" || cmd.Channel.Address == "":
		return cmd, false
	case m.MsgType == "event" && m.Event.Type == "enter_chat": // once a day, however often it is delivered
		cmd.Text = "/help"
		cmd.ID = fmt.Sprintf("enter_chat:%s:%s:%s", cmd.Channel.Workspace, strings.ToLower(m.From.UserID), now.UTC().Format(time.DateOnly))
	case m.clicked() && m.MsgID != "":
		cmd.Text = commandText(m.Event.Click.Key)
	case m.MsgID != "" && strings.TrimSpace(m.words()) != "":
		cmd.Text = botText(m.words(), b.ShownName, group)
	}
	return cmd, cmd.Text != ""
}

// botText is a member's text without the mention of the bot. A shown name may hold spaces, so that only a configured one can be cut
// for certain; with another mention in front, the command is the first word that begins with a slash. A mention alone asks for help.
func botText(text, shownName string, group bool) string {
	text = apihttp.CleanLines(text)
	if name := apihttp.CleanText(shownName); name != "" {
		text = apihttp.CleanLines(cutMentions(text, "@"+name))
	}
	if group && strings.HasPrefix(text, "@") {
		_, rest, _ := strings.Cut(text, " ")
		if at := slashWord(text); at >= 0 {
			rest = text[at:]
		}
		text = rest
	}
	if text == "" && group {
		return "/help"
	}
	return commandText(text)
}

// cutMentions replaces each mention that stands alone by a space.
func cutMentions(text, mention string) string {
	var out strings.Builder
	for {
		at := strings.Index(text, mention)
		if at < 0 {
			break
		}
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(mention):])
		alone := (at == 0 || unicode.IsSpace(before)) && (at+len(mention) == len(text) || unicode.IsSpace(after) || isSlash(after))
		out.WriteString(text[:at])
		if alone {
			out.WriteByte(' ')
		} else {
			out.WriteString(mention)
		}
		text = text[at+len(mention):]
	}
	return out.String() + text
}

func isSlash(r rune) bool { return r == '/' || r == '／' }

// slashWord is where the first word begins that has a slash in front; -1 = nowhere.
func slashWord(text string) int {
	before := ' '
	for at, r := range text {
		next, _ := utf8.DecodeRuneInString(text[at+utf8.RuneLen(r):])
		if isSlash(r) && unicode.IsSpace(before) && unicode.IsLetter(next) {
			return at
		}
		before = r
	}
	return -1
}
