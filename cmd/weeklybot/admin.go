package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/admin"
	"weeklybot/bot/web"
)

// tokenVariable is the environment variable that holds the API's token.
const tokenVariable = "WEEKLYBOT_TOKEN"

// remote is what every command over the API has.
type remote struct {
	Server string `help:"Address of the running bot; default: the configuration's listen." placeholder:"URL"`
	JSON   bool   `help:"The API's answer as JSON." name:"json"`
}

// apiTime bounds one call.
const apiTime = 60 * time.Second

// maxAnswerBytes bounds one answer: a page of a list.
const maxAnswerBytes = 64 << 20

// call makes one call of the API of the running bot. The answer is printed as JSON with --json, else show prints it.
func (o remote) call(ctx context.Context, c *commands, s streams, method, path string, body any, show func(io.Writer, json.RawMessage) error) error {
	server, token, err := o.target(c)
	if err != nil {
		return err
	}
	answer, err := ask(ctx, server, token, method, path, body)
	if err != nil {
		return err
	}
	if o.JSON {
		return writeIndented(s.out, answer)
	}
	return show(s.out, answer)
}

// target is where the bot is, and its token: that of the environment, or of the configuration for the bot that runs with it.
func (o remote) target(c *commands) (server, token string, err error) {
	token = os.Getenv(tokenVariable)
	if o.Server != "" {
		u, err := url.Parse(o.Server)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return "", "", &exitError{code: exitUsage, err: fmt.Errorf("--server %s: want http://host:port or https://host", o.Server)}
		}
		if token == "" {
			return "", "", fmt.Errorf("set %s to the bot's api_token", tokenVariable)
		}
		return strings.TrimSuffix(o.Server, "/"), token, nil
	}
	cfg, err := c.settings()
	if err != nil {
		return "", "", err
	}
	if token == "" {
		token = cfg.APIToken.Reveal()
	}
	if token == "" {
		return "", "", fmt.Errorf("set %s to the bot's api_token (the API is off where the configuration has none)", tokenVariable)
	}
	address, err := cfg.local()
	return "http://" + address, token, err
}

func ask(ctx context.Context, server, token, method, path string, body any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTime)
	defer cancel()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, server+web.APIPath+path, in)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // the token goes nowhere else
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no bot answers at %s: is it running?", server)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return nil, fmt.Errorf("the answer of %s was cut off: %w", server, err)
	}
	if resp.StatusCode == http.StatusOK && json.Valid(answer) {
		return answer, nil
	}
	var refused struct {
		Error struct{ Text, Hint string }
	}
	if json.Unmarshal(answer, &refused) != nil || refused.Error.Text == "" {
		return nil, fmt.Errorf("%s answered %s: is it a weeklybot?", server, resp.Status)
	}
	return nil, errors.New(strings.TrimSpace(refused.Error.Text + " " + refused.Error.Hint))
}

// local is the address of the bot that runs with this configuration, on this machine where it listens on all.
func (c *Config) local() (string, error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// page is what commands that list have.
type page struct {
	Limit int    `help:"Most entries." default:"100"`
	After string `help:"Go on behind this one: the next of the page before." placeholder:"ID"`
}

func (p page) query(more ...string) string {
	q := url.Values{"limit": {strconv.Itoa(p.Limit)}}
	for i := 0; i+1 < len(more); i += 2 {
		if more[i+1] != "" {
			q.Set(more[i], more[i+1])
		}
	}
	if p.After != "" {
		q.Set("after", p.After)
	}
	return "?" + q.Encode()
}

// rows prints one line for each element of the list under key, made of the fields named: "channel.name". What is missing is "-".
func rows(key string, fields ...string) func(io.Writer, json.RawMessage) error {
	return func(w io.Writer, answer json.RawMessage) error {
		var page map[string]json.RawMessage
		var list []map[string]any
		if err := json.Unmarshal(answer, &page); err != nil {
			return err
		}
		if err := json.Unmarshal(page[key], &list); err != nil {
			return err
		}
		for _, e := range list {
			fmt.Fprintln(w, row(e, fields))
		}
		var next string
		if json.Unmarshal(page["next"], &next) == nil && next != "" {
			fmt.Fprintln(w, "more: --after "+next)
		}
		return nil
	}
}

// one prints the fields of one object on a line.
func one(fields ...string) func(io.Writer, json.RawMessage) error {
	return func(w io.Writer, answer json.RawMessage) error {
		var e map[string]any
		if err := json.Unmarshal(answer, &e); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w, row(e, fields))
		return err
	}
}

// lines prints each field of one object on a line, with its name; what is not there is left out.
func lines(w io.Writer, answer json.RawMessage, fields ...string) error {
	var e map[string]any
	if err := json.Unmarshal(answer, &e); err != nil {
		return err
	}
	for _, f := range fields {
		if v := plainValue(e, strings.Split(f, ".")); v != "-" {
			fmt.Fprintf(w, "%s: %s\n", f, v)
		}
	}
	return nil
}

func row(e map[string]any, fields []string) string {
	var words []string
	for _, f := range fields {
		words = append(words, plainValue(e, strings.Split(f, ".")))
	}
	return strings.Join(words, "  ")
}

func plainValue(v any, path []string) string {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	switch v := v.(type) {
	case nil:
		return "-"
	case []any:
		if len(v) == 0 {
			return "all"
		}
		var words []string
		for _, e := range v {
			words = append(words, fmt.Sprint(e))
		}
		return strings.Join(words, ",")
	case map[string]any:
		var words []string
		for name, e := range v {
			words = append(words, fmt.Sprintf("%s=%v", name, e))
		}
		slices.Sort(words)
		return orElse(strings.Join(words, ","), "-")
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return orElse(strings.Join(strings.Fields(fmt.Sprint(v)), " "), "-")
}

type subscriptionsCmd struct {
	List   subsListCmd   `cmd:"" help:"Which channels have subscribed to what."`
	Add    subsAddCmd    `cmd:"" help:"Give a channel one more subscription."`
	Change subsChangeCmd `cmd:"" help:"Change what a subscription brings; what is not named stays."`
	Pause  subsPauseCmd  `cmd:"" help:"Stop a subscription for a while."`
	Resume subsResumeCmd `cmd:"" help:"Let it go on."`
	Remove subsRemoveCmd `cmd:"" help:"End a subscription."`
	Fire   subsFireCmd   `cmd:"" help:"Send what the next digest would hold, now."`
}

var subscriptionFields = []string{"id", "state", "channel.platform", "channel.name", "channel.address", "schedule", "zone", "series", "topics", "style", "lang", "quiet_hours", "holidays", "next"}

type subsListCmd struct {
	remote
	page
}

func (l *subsListCmd) Run(ctx context.Context, c *commands, s streams) error {
	return l.call(ctx, c, s, http.MethodGet, "subscriptions"+l.query(), nil, rows("subscriptions", subscriptionFields...))
}

// wishFlags say what a subscription brings.
type wishFlags struct {
	Series   []string `help:"Newsletters; all." placeholder:"NAME"`
	Topics   []string `help:"Topics; all." placeholder:"NAME"`
	Schedule string   `help:"\"Mon 09:00\", \"on publish\" or a cron expression." placeholder:"WHEN"`
	Zone     string   `help:"Time zone." placeholder:"ZONE"`
	Style    string   `help:"headlines, brief or full." placeholder:"STYLE"`
	Lang     string   `help:"zh or en." placeholder:"LANG"`
	Max      *int     `help:"Most items; 0 = all." placeholder:"N"`
	Quiet    *string  `help:"Quiet hours, 22:00-08:00, or none; empty: as in the configuration." placeholder:"HOURS"`
	Holidays *string  `help:"On a public holiday: skip, next (workday) or none; empty: as in the configuration." placeholder:"RULE"`
}

// body holds only what was said.
func (f wishFlags) body() map[string]any {
	body := map[string]any{}
	for name, list := range map[string][]string{"series": f.Series, "topics": f.Topics} {
		if len(list) > 0 {
			body[name] = list
		}
	}
	for name, text := range map[string]string{"schedule": f.Schedule, "zone": f.Zone, "style": f.Style, "lang": f.Lang} {
		if text != "" {
			body[name] = text
		}
	}
	if f.Max != nil {
		body["max_items"] = *f.Max
	}
	for name, text := range map[string]*string{"quiet_hours": f.Quiet, "holidays": f.Holidays} {
		if text != nil {
			body[name] = *text
		}
	}
	return body
}

type subsAddCmd struct {
	remote
	wishFlags
	Channel string `arg:"" help:"Name of a declared channel, ID, or slack:T1/C1."`
}

func (a *subsAddCmd) Run(ctx context.Context, c *commands, s streams) error {
	body := a.body()
	body["channel"] = a.Channel
	return a.call(ctx, c, s, http.MethodPost, "subscriptions", body, one(subscriptionFields...))
}

// named is a command about one thing.
type named struct {
	remote
	ID string `arg:"" help:"ID, as list shows it."`
}

func (n named) on(things, action string) string {
	return strings.TrimSuffix(things+"/"+url.PathEscape(n.ID)+"/"+action, "/")
}

type subsChangeCmd struct {
	named
	wishFlags
}

func (n *subsChangeCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodPatch, n.on("subscriptions", ""), n.body(), one(subscriptionFields...))
}

type subsPauseCmd struct{ named }

func (n *subsPauseCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodPost, n.on("subscriptions", "pause"), nil, one(subscriptionFields...))
}

type subsResumeCmd struct{ named }

func (n *subsResumeCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodPost, n.on("subscriptions", "resume"), nil, one(subscriptionFields...))
}

type subsRemoveCmd struct{ named }

func (n *subsRemoveCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodDelete, n.on("subscriptions", ""), nil, one("done"))
}

type subsFireCmd struct{ named }

func (n *subsFireCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodPost, n.on("subscriptions", "fire"), nil, one("done"))
}

type deliveriesCmd struct {
	List  deliveriesListCmd  `cmd:"" help:"Dead, held and uncertain deliveries, with their reasons."`
	Show  deliveriesShowCmd  `cmd:"" help:"One of them."`
	Retry deliveriesRetryCmd `cmd:"" help:"Deliver it after all: a dead one again, a held one once more."`
	Drop  deliveriesDropCmd  `cmd:"" help:"Forget it; a held one counts as arrived."`
}

var deliveryFields = []string{"at", "state", "code", "channel", "id"}

type deliveriesListCmd struct {
	remote
	page
	State string `help:"Only dead, only held, or only uncertain." enum:"dead,held,uncertain," default:""`
	Of    string `help:"Only those of one run." name:"run" placeholder:"RUN"`
}

func (l *deliveriesListCmd) Run(ctx context.Context, c *commands, s streams) error {
	return l.call(ctx, c, s, http.MethodGet, "deliveries"+l.query("state", l.State, "run", l.Of), nil, rows("deliveries", deliveryFields...))
}

type deliveriesShowCmd struct{ named }

func (n *deliveriesShowCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodGet, n.on("deliveries", ""), nil, one(append(deliveryFields, "subscription", "run", "reason")...))
}

type deliveriesRetryCmd struct{ named }

func (n *deliveriesRetryCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodPost, "deliveries/retry", map[string]string{"id": n.ID}, one("done"))
}

type deliveriesDropCmd struct{ named }

func (n *deliveriesDropCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodPost, "deliveries/drop", map[string]string{"id": n.ID}, one("done"))
}

type broadcastsCmd struct {
	List    bcListCmd    `cmd:"" help:"Broadcasts, newest first."`
	Create  bcCreateCmd  `cmd:"" help:"Draft one: shows how many channels it reaches and the token that approves it. Nothing is sent yet."`
	Preview bcPreviewCmd `cmd:"" help:"The exact request bodies that each platform would get."`
	Approve bcApproveCmd `cmd:"" help:"Let a draft go, now or at its time."`
	Cancel  bcCancelCmd  `cmd:"" help:"Stop one between two sends."`
	Recall  bcRecallCmd  `cmd:"" help:"Stop one and take its posts back, where the platform can."`
	Report  bcReportCmd  `cmd:"" help:"What became of it, with the reason of each failure."`
}

var broadcastFields = []string{"id", "state", "channels", "next", "by", "title"}

type bcListCmd struct {
	remote
	page
}

func (l *bcListCmd) Run(ctx context.Context, c *commands, s streams) error {
	return l.call(ctx, c, s, http.MethodGet, "broadcasts"+l.query(), nil, rows("broadcasts", broadcastFields...))
}

type bcCreateCmd struct {
	remote
	Text      string   `help:"What to say; @FILE reads a file, - standard input." placeholder:"TEXT"`
	Title     string   `help:"Heading." placeholder:"TEXT"`
	Issue     string   `help:"Send an issue instead: its key, or a series (the newest issue)." placeholder:"NAME"`
	Style     string   `help:"Of an issue: headlines, brief or full." placeholder:"STYLE"`
	Max       int      `help:"Of an issue: most items." placeholder:"N"`
	Lang      string   `help:"zh or en." placeholder:"LANG"`
	When      string   `help:"\"2026-12-24 09:00\", \"Mon 09:00\" or a cron expression; default: once approved." placeholder:"WHEN"`
	Zone      string   `help:"Time zone of --when." placeholder:"ZONE"`
	All       bool     `help:"To every channel with a subscription."`
	Platform  []string `help:"Only channels of these platforms." placeholder:"NAME"`
	Workspace []string `help:"Only channels of these workspaces." placeholder:"ID"`
	Channel   []string `help:"Only these channels." placeholder:"NAME"`
	Series    []string `help:"Only channels that get these newsletters." placeholder:"NAME"`
	Topic     []string `help:"Only channels that get these topics." placeholder:"NAME"`
}

func (b *bcCreateCmd) Run(ctx context.Context, c *commands, s streams) error {
	audience := bot.Audience{Platforms: b.Platform, Workspaces: b.Workspace, Channels: b.Channel, Series: b.Series, Topics: b.Topic}
	if narrow := len(b.Platform)+len(b.Workspace)+len(b.Channel)+len(b.Series)+len(b.Topic) > 0; narrow == b.All {
		return &exitError{code: exitUsage, err: errors.New("to whom? --all, or at least one of --platform --workspace --channel --series --topic")}
	}
	text, err := b.text(s.in)
	if err != nil {
		return err
	}
	body := admin.Request{Title: b.Title, Text: text, Issue: b.Issue, Style: bot.Style(b.Style), MaxItems: b.Max, Lang: b.Lang, Audience: audience, When: b.When, Zone: b.Zone}
	return b.call(ctx, c, s, http.MethodPost, "broadcasts", body, func(w io.Writer, answer json.RawMessage) error {
		var d struct {
			Broadcast struct {
				ID       string
				Channels int
			}
			Reach []admin.Reach
			Token string
		}
		if err := json.Unmarshal(answer, &d); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s would reach %d channels\n", d.Broadcast.ID, d.Broadcast.Channels)
		for _, r := range d.Reach {
			fmt.Fprintf(w, "  %s %s: %d\n", r.Platform, r.Kind, r.Channels)
		}
		fmt.Fprintf(w, "look: weeklybot broadcasts preview %s\nsend: weeklybot broadcasts approve %s --token %s\n", d.Broadcast.ID, d.Broadcast.ID, d.Token)
		return nil
	})
}

// maxTextBytes is more than any broadcast may hold.
const maxTextBytes = 1 << 20

// text is --text, or what it names.
func (b *bcCreateCmd) text(in io.Reader) (string, error) {
	name, file := strings.CutPrefix(b.Text, "@")
	switch {
	case b.Text == "-":
	case file:
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		in = f
	default:
		return b.Text, nil
	}
	text, err := io.ReadAll(io.LimitReader(in, maxTextBytes))
	return string(text), err
}

type bcPreviewCmd struct{ named }

// Run prints JSON in any case: request bodies are.
func (n *bcPreviewCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodGet, n.on("broadcasts", "preview"), nil, func(w io.Writer, answer json.RawMessage) error { return writeIndented(w, answer) })
}

type bcApproveCmd struct {
	named
	Token string `help:"What create showed." required:"" placeholder:"TOKEN"`
}

func (n *bcApproveCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodPost, n.on("broadcasts", "approve"), map[string]string{"token": n.Token}, one(broadcastFields...))
}

type bcCancelCmd struct{ named }

func (n *bcCancelCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodPost, n.on("broadcasts", "cancel"), nil, one(broadcastFields...))
}

type bcRecallCmd struct{ named }

func (n *bcRecallCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodPost, n.on("broadcasts", "recall"), nil, one(broadcastFields...))
}

type bcReportCmd struct{ named }

func (n *bcReportCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodGet, n.on("broadcasts", "report"), nil, func(w io.Writer, answer json.RawMessage) error {
		if err := lines(w, answer, "broadcast.id", "broadcast.state", "progress.reached", "progress.counts", "progress.open", "progress.left", "recall.counts", "uncertain", "reasons"); err != nil {
			return err
		}
		return rows("failures", append(deliveryFields, "reason")...)(w, answer)
	})
}

type schedulesCmd struct {
	List schedListCmd `cmd:"" help:"Distinct schedules, and broadcasts that wait for their time."`
	Next schedNextCmd `cmd:"" help:"The next planned runs."`
}

type schedListCmd struct{ remote }

func (l *schedListCmd) Run(ctx context.Context, c *commands, s streams) error {
	return l.call(ctx, c, s, http.MethodGet, "schedules", nil, rows("schedules", "next", "schedule", "zone", "series", "subscriptions", "broadcast"))
}

type schedNextCmd struct {
	remote
	N int `arg:"" optional:"" default:"10" help:"How many."`
}

func (n *schedNextCmd) Run(ctx context.Context, c *commands, s streams) error {
	return n.call(ctx, c, s, http.MethodGet, "schedules/next?n="+strconv.Itoa(n.N), nil, rows("runs", "at", "schedule", "zone", "subscriptions", "broadcast"))
}

type auditCmd struct {
	remote
	Limit int `help:"Most entries." default:"100"`
	Skip  int `help:"Leave out so many of the newest." default:"0"`
}

func (a *auditCmd) Run(ctx context.Context, c *commands, s streams) error {
	path := "audit?limit=" + strconv.Itoa(a.Limit)
	if a.Skip > 0 {
		path += "&skip=" + strconv.Itoa(a.Skip)
	}
	return a.call(ctx, c, s, http.MethodGet, path, nil, rows("notes", "at", "who", "where", "what", "about"))
}

type statusCmd struct{ remote }

func (st *statusCmd) Run(ctx context.Context, c *commands, s streams) error {
	return st.call(ctx, c, s, http.MethodGet, "status", nil, func(w io.Writer, answer json.RawMessage) error {
		return lines(w, answer, "channels", "subscriptions", "letters", "broadcasts")
	})
}
