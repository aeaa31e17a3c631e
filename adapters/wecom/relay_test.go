package wecom

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
	"weeklybot/internal/needs"
)

// pair is two replicas over a real Redis: holder has the bot's connection, other has not.
func pair(t *testing.T) (g *group, holder, other *Adapter, rdb *redis.Client, stop func()) {
	t.Helper()
	rdb, prefix := needs.RedisClient(t), rand.Text()
	replica := func(_ *Config, d *Deps) { d.Redis, d.RedisPrefix = rdb, prefix }
	g = newGroup(t, saying(hotAnswer), replica)
	holder, other = g.a, g.adapter(replica)
	holder.leaseRenew, other.leaseRenew = shortRenew, shortRenew
	stop = listen(t, holder, g.in)
	g.connected()
	listen(t, other, g.in)
	elsewhere(t, other)
	g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
	g.answers(1)
	return g, holder, other, rdb, stop
}

func elsewhere(t *testing.T, a *Adapter) {
	t.Helper()
	eventually(t, "knowledge of the holder", func() bool { _, why := a.bots[0].connection(); return errors.Is(why, errElsewhere) })
}

func push(ctx context.Context, a *Adapter, chat, text string) *bot.SendError {
	_, err := a.Send(ctx, groupChannel(chat), small(text))
	fault, _ := errors.AsType[*bot.SendError](err)
	return fault
}

// TestPushOverAnotherReplica: what the holder is told by WeCom, the replica that asked says too.
func TestPushOverAnotherReplica(t *testing.T) {
	g, _, other, rdb, _ := pair(t)
	for _, c := range []struct {
		name, chat string
		fail       twin.Failure
		want       *bot.SendError
	}{
		{"arrives <whole>", "wrTeam", twin.Failure{}, nil},
		{"never spoke", "wrQuiet", twin.Failure{}, &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Action: bot.AskSpeak, Code: "93006"}},
		{"rate", "wrTeam", twin.Failure{Code: 45009}, &bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeMessage, Code: "45009", RetryAfter: time.Minute}},
		{"dropped after", "wrTeam", twin.Failure{DropAfter: true}, &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", MaybeSent: true}},
	} {
		if c.fail != (twin.Failure{}) {
			g.Fail(1, c.fail)
		}
		before := len(g.Posts())
		got := push(t.Context(), other, c.chat, c.name)
		if c.want == nil && (len(g.Posts()) != before+1 || !strings.Contains(g.Posts()[before].Content, "＜whole＞")) {
			t.Errorf("%s: posts %+v", c.name, g.Posts()[before:])
		}
		if got != nil {
			if c.name == "never spoke" && !strings.Contains(got.Error(), "@ the bot once in this group") {
				t.Errorf("%s: %v does not say what to do", c.name, got)
			}
			got.Err = nil
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	for _, key := range rdb.Keys(t.Context(), other.deps.RedisPrefix+":*").Val() {
		if left := rdb.PTTL(t.Context(), key).Val(); left <= 0 || left > relayLife {
			t.Errorf("key %s stays for %v", key, left)
		}
	}
}

// A push whose fence is over goes neither over the own connection nor to another replica.
func TestFencedPushIsNotWritten(t *testing.T) {
	g, holder, other, _, _ := pair(t)
	before := len(g.Posts())
	for _, a := range []*Adapter{holder, other} {
		fenced := bot.WithFence(t.Context(), func() bool { return true })
		if fault := push(fenced, a, "wrTeam", "stale"); fault == nil || fault.MaybeSent || fault.Fault != bot.Retryable || !errors.Is(fault, bot.ErrFenced) {
			t.Errorf("push = %+v", fault)
		}
		if fault := push(bot.WithFence(t.Context(), func() bool { return false }), a, "wrTeam", "fresh"); fault != nil {
			t.Error(fault)
		}
	}
	if posts := g.Posts()[before:]; len(posts) != 2 || strings.Contains(posts[0].Content+posts[1].Content, "stale") {
		t.Errorf("posts: %+v, want two fresh ones", posts)
	}
}

func TestManyPushesOverAnotherReplica(t *testing.T) {
	g, _, other, _, _ := pair(t)
	const chats, each = 10, 10
	for k := range chats {
		g.say(twin.Said{Chat: fmt.Sprintf("wr%d", k), From: "lisi", Text: "@周报 Bot /hot"})
	}
	g.answers(1 + chats)
	faults := make(chan *bot.SendError, chats*each)
	for k := range chats * each {
		go func() { faults <- push(t.Context(), other, fmt.Sprintf("wr%d", k%chats), fmt.Sprintf("post %d", k)) }()
	}
	for range chats * each {
		if fault := <-faults; fault != nil {
			t.Error(fault)
		}
	}
	seen := map[string]int{}
	for _, p := range g.Posts()[1+chats:] {
		seen[p.Content]++
	}
	if len(seen) != chats*each {
		t.Errorf("%d posts, want %d, each once", len(seen), chats*each)
	}
}

// TestHolderStops: the replica that waited takes over the connection, and pushes by itself.
func TestHolderStops(t *testing.T) {
	g, _, other, _, stop := pair(t)
	stop()
	eventually(t, "push by the successor", func() bool { return push(t.Context(), other, "wrTeam", "after") == nil })
	if live, _ := other.bots[0].connection(); live == nil || len(g.Posts()) != 2 {
		t.Errorf("%d posts, want 2", len(g.Posts()))
	}
}

// TestHolderKilled plays what a killed holder leaves behind: its lease for a while, and perhaps an ask that it took.
func TestHolderKilled(t *testing.T) {
	rdb, prefix := needs.RedisClient(t), rand.Text()
	g := newGroup(t, saying(hotAnswer), func(_ *Config, d *Deps) { d.Redis, d.RedisPrefix = rdb, prefix })
	g.a.leaseRenew = shortRenew
	r := g.a.bots[0].relay
	r.within = time.Second
	rdb.Set(t.Context(), r.key, "the dead one", time.Hour)
	listen(t, g.a, g.in)
	elsewhere(t, g.a)

	// Nobody takes the post: it is withdrawn, and has not been sent.
	if fault := push(t.Context(), g.a, "wrTeam", "not taken"); fault == nil || fault.Code != codeNoConnection || fault.MaybeSent || fault.Fault != bot.Retryable {
		t.Errorf("not taken: %v", fault)
	}
	if n := rdb.LLen(t.Context(), r.asks()).Val(); n != 0 {
		t.Errorf("%d posts are left for the next holder, who would send them late", n)
	}
	// A context that ends first.
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if fault := push(short, g.a, "wrTeam", "short"); fault == nil || fault.MaybeSent || !errors.Is(fault, context.DeadlineExceeded) {
		t.Errorf("a context that ends: %v", fault)
	}
	// It is taken, and there is never an answer: it may have been sent.
	r.within = time.Minute
	long, hangUp := context.WithCancel(t.Context())
	faults := make(chan *bot.SendError, 1)
	go func() { faults <- push(long, g.a, "wrTeam", "taken") }()
	if _, err := rdb.BLPop(t.Context(), 20*time.Second, r.asks()).Result(); err != nil {
		t.Fatal(err)
	}
	hangUp()
	if fault := <-faults; fault == nil || !fault.MaybeSent || fault.Fault != bot.Retryable || !errors.Is(fault, context.Canceled) {
		t.Errorf("taken and never answered: %v", fault)
	}
	// Its lease ends: we are the holder.
	rdb.Del(t.Context(), r.key)
	g.connected()
	g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
	g.answers(1)
	if fault := push(t.Context(), g.a, "wrTeam", "alone"); fault != nil || len(g.Posts()) != 2 {
		t.Errorf("after takeover: %v, %d posts", fault, len(g.Posts()))
	}
}

// TestRefusedHolder: WeCom's refusal of the bot reaches the replicas that wait.
func TestRefusedHolder(t *testing.T) {
	rdb, prefix := needs.RedisClient(t), rand.Text()
	replica := func(c *Config, d *Deps) { d.Redis, d.RedisPrefix, c.AIBots[0].Secret = rdb, prefix, "wrong" }
	g := newGroup(t, saying(hotAnswer), replica)
	listen(t, g.a, g.in)
	eventually(t, "refusal", func() bool { _, why := g.a.bots[0].connection(); return isRefusal(why) })
	other := g.adapter(replica)
	listen(t, other, g.in)
	elsewhere(t, other)
	if fault := push(t.Context(), other, "wrTeam", "x"); fault == nil || fault.Code != "40001" || fault.Scope != bot.ScopeWorkspace {
		t.Errorf("push = %v, want 40001 of the workspace", fault)
	}
}

func TestRelayWithoutRedis(t *testing.T) {
	g, _, other, rdb, _ := pair(t)
	rdb.Close()
	if fault := push(t.Context(), other, "wrTeam", "x"); fault == nil || fault.Fault != bot.Retryable || len(g.Posts()) != 1 {
		t.Errorf("push = %v", fault)
	}
}

// TestOddAsks: what is not ours in the lists is survived.
func TestOddAsks(t *testing.T) {
	_, holder, other, rdb, _ := pair(t)
	r := holder.bots[0].relay
	for _, odd := range []string{"", "{", `{"id":1}`, `[]`} {
		rdb.RPush(t.Context(), r.asks(), odd)
		rdb.RPush(t.Context(), r.inbox(other.bots[0].relay.replica), odd, `{"id":"unknown"}`)
	}
	if fault := push(t.Context(), other, "wrTeam", "x"); fault != nil {
		t.Error(fault)
	}
}
