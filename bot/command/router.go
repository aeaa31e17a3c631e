package command

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/admin"
	"weeklybot/bot/schedule"
	"weeklybot/content"
)

// Searcher finds items; content/index is one.
type Searcher interface {
	Search(content.Query) content.Result
	// Rising names the topics that rise most.
	Rising(limit int) []content.TopicCount
	// Trend counts the items about a topic in each of the last weeks, the oldest first.
	Trend(topic string, weeks int) []int
}

// Subscriptions keeps what channels have subscribed.
type Subscriptions interface {
	List(ctx context.Context, ch bot.ChannelID) ([]bot.Subscription, error)
	// Add assigns ID, Since and State.
	Add(ctx context.Context, ch bot.Channel, s bot.Subscription) (bot.Subscription, error)
	// Change edits one subscription; the error of change is returned as it is.
	Change(ctx context.Context, id bot.SubscriptionID, change func(*bot.Subscription) error) (bot.Subscription, error)
	Remove(ctx context.Context, id bot.SubscriptionID) error
	// Ailing says why nothing arrives in a channel: StateHeld, StateProbation, or StateActive without an Ailment.
	Ailing(ctx context.Context, ch bot.Channel) (bot.State, bot.Ailment, error)
	// Owed is what a subscription was not sent although it was due; nil: nothing.
	Owed(ctx context.Context, id bot.SubscriptionID) (*bot.Owed, error)
	// Recover ends a channel's probation: a person says that it works again.
	Recover(ctx context.Context, id bot.ChannelID) error
	// Next is what the next digest would be made from now.
	Next(ctx context.Context, id bot.SubscriptionID) (bot.Recipe, []bot.Entry, error)
}

// Events takes note of what happens to channels. Each method may be called again for the same event.
type Events interface {
	// Moved gives a channel a new address; its subscriptions go along.
	Moved(ctx context.Context, from, to bot.Channel) error
	Renamed(ctx context.Context, id bot.ChannelID, name string) error
	// Ail puts a channel that has subscribed on probation.
	Ail(ctx context.Context, id bot.ChannelID, a bot.Ailment) error
	// Hold keeps a workspace from being posted to, Revive lets it go on.
	Hold(ctx context.Context, w bot.Workspace, a bot.Ailment) (first bool, err error)
	Revive(ctx context.Context, w bot.Workspace) (held bool, err error)
}

// Votes notes what members think of items.
type Votes interface {
	// Vote is 1 for useful, -1 for not. The newest of a member on an item counts.
	Vote(ctx context.Context, item, member string, vote int) error
}

// Deps is what a Router works with. Only Library and Search are needed to answer questions; without Subs the commands about
// subscriptions say that there are none here.
type Deps struct {
	Library     func() *content.Library // the newest; called once a command
	Search      Searcher
	Topics      *content.Topics
	Subs        Subscriptions
	Events      Events
	Votes       Votes                             // nil: nobody counts
	Lang        string                            // of answers when nothing else tells; "en", else Chinese
	Zone        string                            // of schedules without one: an IANA name
	Exceptions  func() schedule.Exceptions        // the bot's own quiet hours and holidays; nil: none
	SubscribeBy string                            // who may change subscriptions: "anyone", "managers" or "admins"
	Admins      []string                          // "slack:T1/U1", or an adapter's name alone for everybody on it ("terminal")
	Desk        *admin.Desk                       // nil: nothing to administer
	Meters      func(context.Context) []bot.Meter // of platforms' monthly allowances, for /status; may be nil
	Limit       int                               // most hits of an Answer; 0 = 50
	Log         *slog.Logger
	Now         func() time.Time
	// Observe, which may be nil, is told of each command: its own name ("hot", or "unknown") and how long it took.
	Observe func(command string, took time.Duration)
}

// Router answers commands. It is a bot.Inbox.
type Router struct {
	deps    Deps
	grammar *grammar
	answers *recent[string, *given]          // by adapter, workspace and Command.ID
	turns   *recent[string, turn]            // by channel and member: what /more goes on with
	langs   *recent[bot.ChannelID, langSeen] // by channel
	counts  countCache
}

var (
	_ bot.Inbox     = (*Router)(nil)
	_ bot.Completer = (*Router)(nil)
)

const (
	maxAnswers = 4096 // commands remembered so that a repeated one is not run again
	maxTurns   = 4096 // members whose last question is remembered
	maxLangs   = 4096 // channels whose language is remembered
)

// New fills what deps leaves open.
func New(deps Deps) *Router {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Limit <= 0 {
		deps.Limit = 50
	}
	if deps.Zone == "" {
		deps.Zone = "UTC"
	}
	if deps.Exceptions == nil {
		deps.Exceptions = func() schedule.Exceptions { return schedule.Exceptions{Zone: deps.Zone} }
	}
	return &Router{
		deps: deps, grammar: newGrammar(),
		answers: newRecent[string, *given](maxAnswers), turns: newRecent[string, turn](maxTurns), langs: newRecent[bot.ChannelID, langSeen](maxLangs),
	}
}

// Answer is what one command gives.
type Answer struct {
	Command string        // the command's own name, "hot"; "" when it is not known
	Hits    []content.Hit // items found, best first; the Message shows a page of them
	Message bot.Message
}

// Command answers one command. The Message is what the member is to see, in each case; an error is for the operator, and its text
// holds the reference that the member was shown.
func (r *Router) Command(ctx context.Context, cmd bot.Command) (bot.Message, error) {
	answer, err := r.Answer(ctx, cmd)
	if _, ok := errors.AsType[*bot.UserError](err); ok {
		return answer.Message, nil
	}
	return answer.Message, err
}

// Answer is Command with everything that was found. A *bot.UserError says what the member did wrong ("unknown_command", …); the Message
// says it too. A command whose ID was seen before on the same platform is not run again: its first answer is given.
func (r *Router) Answer(ctx context.Context, cmd bot.Command) (Answer, error) {
	if cmd.ID == "" {
		return r.run(ctx, cmd)
	}
	key := cmd.Channel.Adapter + "\n" + cmd.Channel.Workspace + "\n" + cmd.ID
	g, first := r.answers.getOr(key, func() *given { return &given{done: make(chan struct{})} })
	if !first {
		select {
		case <-g.done:
			return g.answer, g.err
		case <-ctx.Done():
			return r.failed(cmd, ctx.Err())
		}
	}
	defer close(g.done)
	g.err = errUnfinished
	g.answer, g.err = r.run(ctx, cmd)
	if _, ok := errors.AsType[*bot.UserError](g.err); g.err != nil && !ok {
		r.answers.drop(key) // it may work the next time
	}
	return g.answer, g.err
}

// errUnfinished is what waiters see of a command that panicked.
var errUnfinished = errors.New("the command did not finish")

// given is an answer that other deliveries of the same command wait for.
type given struct {
	done   chan struct{}
	answer Answer
	err    error
}

func (r *Router) run(ctx context.Context, cmd bot.Command) (Answer, error) {
	began := r.deps.Now()
	lang := r.language(ctx, cmd)
	req, err := r.grammar.parse(cmd.Text, lang)
	name := "unknown"
	var answer Answer
	if req.cmd != nil {
		name, answer.Command = req.cmd.name, req.cmd.name
	}
	if err == nil {
		answer, err = r.do(ctx, cmd, req, lang)
	} else {
		if better := req.answerIn(lang); better != lang { // the faulty command itself asks for another language
			_, err = r.grammar.parse(cmd.Text, better)
		}
	}
	if r.deps.Observe != nil {
		r.deps.Observe(name, r.deps.Now().Sub(began))
	}
	if user, ok := errors.AsType[*bot.UserError](err); ok {
		answer.Message = userMessage(user, req.answerIn(lang))
		return answer, user
	}
	if err != nil {
		failed, err := r.failed(cmd, err)
		failed.Command = answer.Command
		return failed, err
	}
	return answer, nil
}

func (r *Router) do(ctx context.Context, cmd bot.Command, req request, lang string) (Answer, error) {
	c := &call{cmd: cmd, request: req, lib: r.deps.Library(), lang: req.answerIn(lang)}
	c.say = chooser(c.lang)
	answer, err := req.cmd.run(r, ctx, c)
	if c.changed != "" && r.deps.Desk != nil {
		r.deps.Desk.Note(ctx, c.actor(), req.cmd.name, c.changed)
	}
	answer.Command = req.cmd.name
	answer.Message.Lang = c.lang
	return answer, err
}

// call is a command being answered.
type call struct {
	request
	cmd  bot.Command
	lib  *content.Library
	lang string
	say  func(zh, en string) string

	changed string // subscriptions that the command changed, for the audit log
}

// fault is a *bot.UserError in the language of the answer.
func (c *call) fault(code, zh, en, hintZH, hintEN string) error {
	return &bot.UserError{Code: code, Text: c.say(zh, en), Hint: c.say(hintZH, hintEN)}
}

// failed is what a member sees when something broke, and the error that tells the operator about it.
func (r *Router) failed(cmd bot.Command, err error) (Answer, error) {
	var random [4]byte
	_, _ = rand.Read(random[:])
	ref := hex.EncodeToString(random[:])
	lang := cmd.Member.Lang
	if lang == "" {
		lang = r.deps.Lang
	}
	say := chooser(lang)
	msg := bot.Message{Title: say("出了点问题", "Something went wrong"), Lang: say("zh", "en"), Blocks: []bot.Block{{
		Kind: bot.BlockText, Text: say("请稍后再试。如果一直这样，请把编号 "+ref+" 告诉管理员。", "Please try again later. If it stays like this, tell an administrator: ref "+ref+".")}}}
	return Answer{Message: msg}, fmt.Errorf("command failed, ref %s: %w", ref, err)
}

// userMessage shows a UserError: what is wrong, and what to type.
func userMessage(err *bot.UserError, lang string) bot.Message {
	msg := bot.Message{Lang: lang, Notice: err.Text, Code: err.Code, Blocks: []bot.Block{{Kind: bot.BlockText, Text: err.Text}}}
	if err.Hint != "" {
		msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockText, Text: err.Hint})
	}
	return msg
}

// mayChange refuses members who may not change subscriptions here.
func (r *Router) mayChange(c *call) error {
	if r.deps.Subs == nil {
		return c.fault("no_subscriptions", "这里不能订阅。", "Nothing can be subscribed here.", "搜索和阅读照常可用：/help", "Searching and reading work: /help")
	}
	switch r.deps.SubscribeBy {
	case "managers":
		if c.cmd.Member.Admin || r.isAdmin(c.cmd) {
			return nil
		}
		return c.fault("forbidden", "只有管理员可以改动这里的订阅。", "Only managers may change what is subscribed here.",
			"请找本工作区的管理员来输入。", "Please ask someone who administers this workspace to type it.")
	case "admins":
		if r.isAdmin(c.cmd) {
			return nil
		}
		return c.fault("forbidden", "只有机器人的管理员可以改动订阅。", "Only administrators of the bot may change subscriptions.",
			"请联系他们。", "Please ask one of them.")
	}
	return nil
}

func (r *Router) isAdmin(cmd bot.Command) bool {
	return slices.Contains(r.deps.Admins, member(cmd)) || slices.Contains(r.deps.Admins, cmd.Channel.Adapter)
}

// member names a person as the config does: "slack:T1/U1".
func member(cmd bot.Command) string {
	return cmd.Channel.Adapter + ":" + cmd.Channel.Workspace + "/" + cmd.Member.ID
}
