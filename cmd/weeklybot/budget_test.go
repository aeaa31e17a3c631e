package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/adapters/dingtalk"
	dingtwin "weeklybot/adapters/dingtalk/twin"
	"weeklybot/adapters/feishu"
	feishutwin "weeklybot/adapters/feishu/twin"
	"weeklybot/adapters/slack"
	slacktwin "weeklybot/adapters/slack/twin"
	"weeklybot/adapters/wecom"
	wecomtwin "weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
	"weeklybot/bot/outbox"
	"weeklybot/bot/redisstore"
	"weeklybot/bot/schedule"
	"weeklybot/internal/needs"
)

var budgetTrue = flag.Bool("budget.true", false, "TestNoPlatformBansUs: windows of their true length")

// TestNoPlatformBansUs lets one run be due for many channels, each with more to get than its platform takes at once: replicas together keep to every
// limit, and each part arrives once. How long it took, and how long the limits alone make it, is logged.
func TestNoPlatformBansUs(t *testing.T) {
	for _, c := range crowds {
		for _, replicas := range []int{1, 2, 5} {
			t.Run(fmt.Sprintf("%s/replicas=%d", c.name, replicas), func(t *testing.T) {
				t.Parallel()
				faster := c.faster
				if *budgetTrue {
					faster, c.digests = 1, cmp.Or(c.more, c.digests)
				}
				c.run(t, faster, replicas)
			})
		}
	}
}

// crowd is many channels of one kind, on a platform that refuses, drops or bans what comes too fast.
type crowd struct {
	name   string
	faster float64 // by how much the platform's windows are shorter; where one is a second, a busy machine's pause would look like a burst
	kind   bot.Kind
	// workspaces have a twin and an adapter each; channels is how many each has, digests how many each of those gets.
	workspaces, channels, digests int
	more                          int // digests instead, where the windows have their true length: else the run would be over in seconds
	start                         func(t *testing.T, workspace string, window time.Duration) home
}

// home is a workspace as this test sees it.
type home struct {
	adapter bot.Adapter
	channel func(i int) bot.Channel
	where   func(bot.Channel) string // the twin's name of a channel
	posts   func() []posted
	refused func() []string // what was turned down, or dropped
}

// posted is one post that arrived.
type posted struct {
	where string
	at    time.Time
}

// Webhooks: each robot gets more than its platform takes in a minute. The last two channels are one robot.
// To one destination posts go out one after the other: no pause of the machine makes a burst of them, however short the window. To a workspace they go
// at the same time, and a pause longer than the air in its window may: those windows are shortened less, or lengthened.
var crowds = []crowd{
	{"dingtalk robots", 60, dingtalk.KindWebhook, 1, 20, 12, 0, dingHome},
	{"wecom robots", 60, wecom.KindWebhook, 1, 20, 3, 0, wecomHome},
	{"feishu bots", 20, feishu.KindWebhook, 1, 10, 15, 20, feishuHome},
	{"slack webhooks", 60, slack.KindWebhook, 1, 10, 10, 0, slackHome},
	{"dingtalk app", 0.5, dingtalk.KindApp, 3, 15, 1, 20, dingHome},
	{"wecom app", 60, wecom.KindApp, 3, 10, 3, 0, wecomHome},
	{"feishu app", 2, feishu.KindApp, 3, 40, 1, 12, feishuHome},
	{"slack app", 20, slack.KindApp, 3, 60, 1, 2, slackHome},
}

func serve(t *testing.T, h http.Handler) string {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// adapterOf returns what a constructor made.
func adapterOf[A bot.Adapter](t *testing.T, a A, err error) A {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func robot(i int) string { return fmt.Sprintf("robot-%03d", i) }

func dingHome(t *testing.T, workspace string, window time.Duration) home {
	tw := dingtwin.New(dingtwin.Options{ClientID: "id", ClientSecret: "secret", RobotCode: "code", CorpID: workspace, Window: window})
	url := serve(t, tw)
	a, err := dingtalk.New(dingtalk.Config{ClientID: "id", ClientSecret: "secret", RobotCode: "code", CorpID: workspace, APIURL: url, OAPIURL: url}, dingtalk.Deps{})
	return home{
		adapter: adapterOf(t, a, err),
		channel: func(i int) bot.Channel {
			return bot.Channel{Adapter: dingtalk.Name, Address: "group:" + robot(i), URL: bot.Secret(url + "/robot/send?access_token=" + robot(i))}
		},
		where: func(ch bot.Channel) string {
			if _, token, ok := strings.Cut(ch.URL.Reveal(), "access_token="); ok {
				return "robot:" + token
			}
			return ch.Address
		},
		posts: func() (list []posted) {
			for _, p := range tw.Posts() {
				list = append(list, posted{p.Channel, p.Time})
			}
			return list
		},
		refused: func() (list []string) {
			for _, r := range tw.Refused() {
				list = append(list, r.Code+" "+r.Why)
			}
			return list
		},
	}
}

func wecomHome(t *testing.T, workspace string, window time.Duration) home {
	corp := cmp.Or(workspace, "ww0")
	tw := wecomtwin.New(wecomtwin.Options{Apps: []wecomtwin.App{{CorpID: corp, AgentID: 1, Secret: "secret"}}, Window: window})
	url := serve(t, tw)
	a, err := wecom.New(wecom.Config{APIURL: url, Apps: []wecom.App{{CorpID: corp, AgentID: 1, Secret: "secret"}}}, wecom.Deps{})
	return home{
		adapter: adapterOf(t, a, err),
		channel: func(i int) bot.Channel {
			return bot.Channel{Adapter: wecom.Name, Address: "user:" + robot(i), URL: bot.Secret(url + "/cgi-bin/webhook/send?key=" + robot(i))}
		},
		where: func(ch bot.Channel) string {
			if _, key, ok := strings.Cut(ch.URL.Reveal(), "key="); ok {
				return "key:" + key
			}
			return ch.Address
		},
		posts: func() (list []posted) {
			for _, p := range tw.Posts() {
				list = append(list, posted{p.Channel, p.At})
			}
			return list
		},
		refused: func() (list []string) {
			for _, r := range tw.Refused() {
				list = append(list, fmt.Sprint(r.Code, " ", r.Why))
			}
			return append(list, slices.Repeat([]string{"dropped"}, tw.Dropped())...)
		},
	}
}

func feishuHome(t *testing.T, workspace string, window time.Duration) home {
	tw := feishutwin.New(feishutwin.Options{AppID: "id", AppSecret: "secret", TenantKey: workspace, Window: window})
	url := serve(t, tw)
	a, err := feishu.New(feishu.Config{AppID: "id", AppSecret: "secret", APIURL: url}, feishu.Deps{})
	return home{
		adapter: adapterOf(t, a, err),
		channel: func(i int) bot.Channel {
			return bot.Channel{Adapter: feishu.Name, Address: "oc_" + robot(i), URL: bot.Secret(url + "/open-apis/bot/v2/hook/" + robot(i))}
		},
		where: func(ch bot.Channel) string {
			if _, token, ok := strings.Cut(ch.URL.Reveal(), "/hook/"); ok {
				return "bot:" + token
			}
			return ch.Address
		},
		posts: func() (list []posted) {
			for _, p := range tw.Posts() {
				list = append(list, posted{p.Channel, p.Time})
			}
			return list
		},
		refused: func() (list []string) {
			for _, r := range tw.Refused() {
				list = append(list, fmt.Sprint(r.Code, " ", r.Why))
			}
			return list
		},
	}
}

func slackHome(t *testing.T, workspace string, window time.Duration) home {
	tw := slacktwin.New(slacktwin.Options{BotToken: "xoxb-twin", SigningSecret: "signing", TeamID: workspace, Window: window})
	url := serve(t, tw)
	a, err := slack.New(slack.Config{BotToken: "xoxb-twin", SigningSecret: "signing", APIURL: url + "/api/"}, slack.Deps{})
	return home{
		adapter: adapterOf(t, a, err),
		channel: func(i int) bot.Channel {
			return bot.Channel{Adapter: slack.Name, Address: fmt.Sprintf("C0%05d", i), URL: bot.Secret(fmt.Sprintf("%s/services/T0/%s/key", url, robot(i)))}
		},
		where: func(ch bot.Channel) string {
			if _, path, ok := strings.Cut(ch.URL.Reveal(), "/services/T0/"); ok {
				return strings.TrimSuffix(path, "/key")
			}
			return ch.Address
		},
		posts: func() (list []posted) {
			for _, p := range tw.Posts() {
				list = append(list, posted{p.Channel, p.Time})
			}
			return list
		},
		refused: func() (list []string) {
			for _, r := range tw.Refused() {
				list = append(list, r.Code+" "+r.Why)
			}
			return list
		},
	}
}

// hurried is a platform whose windows are shorter, in several workspaces. What the adapters do is their own.
type hurried struct {
	bot.Adapter // of the first workspace
	homes       map[string]bot.Adapter
	faster      float64
	mu          *sync.Mutex
	sent        map[string]int // by channel, key and part: how often it was accepted
}

func hurry(d time.Duration, faster float64) time.Duration { return time.Duration(float64(d) / faster) }

func (h hurried) Capabilities(kind bot.Kind) bot.Capabilities {
	c := h.Adapter.Capabilities(kind)
	for _, d := range []*time.Duration{&c.MinGap, &c.WorkspaceGap, &c.WorkspaceWindow, &c.TotalGap} {
		*d = hurry(*d, h.faster)
	}
	return c
}

func (h hurried) Send(ctx context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, error) {
	receipt, err := h.homes[dst.Workspace].Send(ctx, dst, p)
	if err == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.sent[fmt.Sprint(dst.ID(), p.Key, p.Part)]++
	}
	return receipt, err
}

// wordy composes digests of several parts, all different.
type wordy struct{}

func (wordy) Compose(_ context.Context, r bot.Recipe) (bot.Message, int, error) {
	m := bot.Message{Title: "Digest " + strings.Join(r.Topics, " "), Lang: "en"}
	for i := range 40 {
		m.Blocks = append(m.Blocks, bot.Block{Kind: bot.BlockItem, Title: fmt.Sprint("Item ", i), URL: "https://example.org/", Text: strings.Repeat("words of news ", 50)})
	}
	return m, len(m.Blocks), nil
}

func (c crowd) run(t *testing.T, faster float64, replicas int) {
	platform := hurried{homes: map[string]bot.Adapter{}, faster: faster, mu: &sync.Mutex{}, sent: map[string]int{}}
	cfg := DefaultConfig() // declares the robots
	type group struct {
		home
		want, channels map[string]int // posts and channels by place
	}
	var groups []group
	var stored []bot.Channel
	for k := range c.workspaces {
		workspace := fmt.Sprint("ww", k)
		if c.kind == "webhook" {
			workspace = ""
		}
		g := group{c.start(t, workspace, hurry(time.Minute, faster)), map[string]int{}, map[string]int{}}
		platform.homes[workspace] = g.adapter
		platform.Adapter = g.adapter
		parts := 0
		for i := range c.channels {
			ch := g.channel(i)
			ch.Kind, ch.Workspace, ch.Name = c.kind, workspace, robot(i)
			if c.kind == "webhook" {
				ch.Address = ch.Name
				if i == c.channels-1 {
					ch.URL = g.channel(i - 1).URL
				}
				cfg.Channels = append(cfg.Channels, ChannelDecl{Name: ch.Name, Platform: ch.Adapter, Kind: string(c.kind), URL: ch.URL})
			} else {
				ch.URL = ""
			}
			msg, _, _ := wordy{}.Compose(t.Context(), bot.Recipe{Topics: []string{"0"}})
			parts = len(g.adapter.Split(c.kind, msg))
			g.want[g.where(ch)] += parts * c.digests
			g.channels[g.where(ch)]++
			ch.URL = ""
			stored = append(stored, ch)
		}
		if parts < 2 {
			t.Fatalf("a digest is %d part", parts)
		}
		groups = append(groups, g)
	}
	store := budgetStore(t)
	for _, ch := range stored {
		for i := range c.digests {
			sub := bot.Subscription{Topics: []string{fmt.Sprint(i)}, Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}, Style: bot.StyleBrief, Lang: "en"}
			if _, err := store.Add(t.Context(), ch, sub); err != nil {
				t.Fatal(err)
			}
		}
	}
	store.publish(t)
	wired := &app{}
	wired.cfg.Store(cfg)
	beat := max(50*time.Millisecond, min(time.Second, hurry(time.Second, faster)))
	for range replicas {
		store.engine(t, outbox.Config{Adapters: []bot.Adapter{platform}, Resolve: wired.resolve, Shared: wired.shared, Beat: beat})
	}
	began := store.due(t)
	store.settle(t, began)

	caps := platform.Capabilities(c.kind)
	var all, most time.Duration
	var last time.Time
	for _, g := range groups {
		if refused := g.refused(); len(refused) > 0 {
			t.Errorf("the platform refused %d posts, the first: %s", len(refused), refused[0])
		}
		got, total := map[string]int{}, 0
		for _, p := range g.posts() {
			got[p.where]++
			if p.at.After(last) {
				last = p.at
			}
		}
		for where, n := range g.want {
			if got[where] != n {
				t.Errorf("%s got %d posts, want %d", where, got[where], n)
			}
			gap := caps.MinGap
			if g.channels[where] > 1 {
				gap = gap * 10 / 9 // what is shared is kept by budget, of which a tenth is not for deliveries
			}
			most, total = max(most, time.Duration(n-1)*gap), total+n
		}
		most = max(most, time.Duration(total-1)*caps.WorkspaceGap*10/9)
		all += time.Duration(total)
	}
	most = max(most, (all-1)*caps.TotalGap*10/9)
	if len(platform.sent) != int(all) {
		t.Errorf("%d different parts arrived of %d", len(platform.sent), all)
	}
	took := last.Sub(began)
	t.Logf("%d posts, %g times faster: %.2f s, %.2f of the %.2f s that the limits make it", all, faster, took.Seconds(), took.Seconds()/most.Seconds(), most.Seconds())
}

// budgetShelf is a store of a test's own.
type budgetShelf struct {
	*redisstore.Store
	rdb redis.UniversalClient
}

func budgetStore(t *testing.T) budgetShelf {
	rdb := needs.RedisClient(t)
	s, err := redisstore.Open(t.Context(), rdb, redisstore.Options{
		Prefix: fmt.Sprint("budget", time.Now().UnixNano()), SlotID: schedule.SlotID, Next: schedule.Next,
	})
	if err != nil {
		t.Fatal(err)
	}
	return budgetShelf{s, rdb}
}

// publish adds a new issue to the catalogue, so that there is news.
func (s budgetShelf) publish(t *testing.T) {
	for _, list := range [][]bot.Sighting{nil, {{Key: "first", Series: "weekly"}}} { // the first load is archive
		if _, err := s.Publish(t.Context(), "source", list); err != nil {
			t.Fatal(err)
		}
	}
}

// engine starts a replica, which ends with the test.
func (s budgetShelf) engine(t *testing.T, cfg outbox.Config) {
	cfg.Queue, cfg.Composer, cfg.Next = s.Store, wordy{}, schedule.Next
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- outbox.New(cfg).Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// due makes every slot due a moment after the next beat, and says when that is.
func (s budgetShelf) due(t *testing.T) time.Time {
	at := time.Now().Add(1500 * time.Millisecond)
	for shard := range s.Shards() {
		key := s.Key(shard, "due")
		for _, slot := range s.rdb.ZRange(t.Context(), key, 0, -1).Val() {
			if err := s.rdb.ZAdd(t.Context(), key, redis.Z{Score: float64(at.UnixMilli()), Member: slot}).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return at
}

// settle waits until what fell due is fired, no run is open and no page unfinished.
func (s budgetShelf) settle(t *testing.T, due time.Time) {
	left := func() (n int64) {
		for _, name := range []string{"due", "open", "todo"} { // in the order in which work moves on
			for shard := range s.Shards() {
				if name == "due" {
					n += s.rdb.ZCount(t.Context(), s.Key(shard, name), "-inf", fmt.Sprint(time.Now().UnixMilli())).Val()
				} else {
					n += s.rdb.SCard(t.Context(), s.Key(shard, name)).Val()
				}
			}
		}
		return n
	}
	time.Sleep(time.Until(due))
	for end := time.Now().Add(20 * time.Minute); left() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited for the last post for 20 minutes")
		}
	}
}
