package dingtalk

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weeklybot/adapters/dingtalk/twin"
	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// tally is the store that replicas share.
type tally struct {
	mu   sync.Mutex
	sums map[string]int64
	asks int
	err  error
}

func (s *tally) Tally(_ context.Context, name, month string, n int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asks++; s.err != nil {
		return 0, s.err
	}
	if s.sums == nil {
		s.sums = map[string]int64{}
	}
	s.sums[name+" "+month] += n
	return s.sums[name+" "+month], nil
}

// replicas are two bots that share a platform, a store and a clock.
func replicas(t *testing.T, store *tally) (first, second *Adapter, tw *twin.Twin, clock *time.Time, log *lockedLog) {
	t.Helper()
	now := time.Date(2026, 11, 30, 15, 0, 0, 0, time.UTC) // an hour before December there
	tw = twin.New(twin.Options{ClientID: "dingclient", ClientSecret: testAppSecret, RobotCode: "dingrobot", CorpID: "dingcorp", QPS: -1})
	server := httptest.NewServer(tw)
	t.Cleanup(server.Close)
	log = &lockedLog{}
	var both [2]*Adapter
	for k := range both {
		cfg := testConfig(server.URL)
		cfg.Monthly.Calls = 100
		a, err := New(cfg, Deps{Tally: store, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		both[k] = a
	}
	return both[0], both[1], tw, &now, log
}

func meters(t *testing.T, a *Adapter, calls, messages int64) {
	t.Helper()
	got, err := a.Meters(t.Context())
	month := monthOf(a.now())
	want := []bot.Meter{{Adapter: "dingtalk", Name: "OpenAPI", Month: month, Used: calls, Limit: 100}, {Adapter: "dingtalk", Name: "Webhook & Stream", Month: month, Used: messages, Limit: monthlyMessages}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Meters: %v (-want +got):\n%s", err, diff)
	}
}

func TestMetersCountWhatReplicasUseTogether(t *testing.T) {
	store := &tally{}
	first, second, tw, now, log := replicas(t, store)
	send := func(a *Adapter, n int) {
		for range n {
			_, _ = a.Send(t.Context(), bot.Channel{Kind: KindApp, Address: "group:c"}, bot.Post{Part: 1, Parts: 1, Message: hello()})
		}
	}
	send(first, 30)
	send(second, 25)
	meters(t, first, 50, 0) // five of the second's are not written down yet
	meters(t, second, 55, 0)
	meters(t, first, 55, 0)
	if store.asks > 20 {
		t.Errorf("the store was asked %d times for 55 calls", store.asks)
	}

	tw.Fail(1, twin.Failure{Code: "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", Status: 403})
	send(first, 1) // throttled: not counted
	tw.Fail(1, twin.Failure{Code: "430101"})
	send(first, 1) // refused: counted
	meters(t, first, 56, 0)

	send(first, 24)
	meters(t, first, 80, 0)
	meters(t, first, 80, 0)
	send(second, 9)
	meters(t, second, 89, 0)
	send(first, 1)
	meters(t, first, 90, 0)
	if n := strings.Count(log.String(), "runs out"); n != 3 { // at 80 from either replica, at 90 from the first
		t.Errorf("%d warnings, want 3:\n%s", n, log)
	}

	*now = now.Add(time.Hour) // December in China
	meters(t, first, 0, 0)
	send(second, 1)
	meters(t, second, 1, 0)
}

func TestMetersSurviveAStoreThatIsDown(t *testing.T) {
	store := &tally{err: errors.New("down")}
	a, _, _, _, _ := replicas(t, store)
	for range 45 {
		if _, err := a.Send(t.Context(), bot.Channel{Kind: KindApp, Address: "group:c"}, bot.Post{Part: 1, Parts: 1, Message: hello()}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Meters(t.Context()); err == nil {
		t.Error("Meters without a store")
	}
	store.err = nil
	meters(t, a, 45, 0)
}

func TestMessagesAreCountedBothWays(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	store := &tally{}
	s.a.messages = s.a.newMeter("m", 3000, store)
	s.say(t, twin.Said{Text: "/hot", Staff: "1"})                                                                                                                                                                // in, and answered in the HTTP answer
	if err := s.a.postWebhook(t.Context(), bot.Secret(s.api.URL+"/robot/send?access_token=t"), "", apihttp.JSONBody(map[string]any{"msgtype": "text", "text": map[string]string{"content": "x"}})); err != nil { // out
		t.Fatal(err)
	}
	if used, err := s.a.messages.flush(t.Context()); err != nil || used != 2 {
		t.Errorf("counted %d, %v, want 2", used, err)
	}
}

func TestWithoutAnAppNothingIsCounted(t *testing.T) {
	a, err := New(Config{}, Deps{Tally: &tally{}})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := a.Meters(t.Context()); len(m) > 0 || err != nil {
		t.Errorf("Meters = %v, %v", m, err)
	}
}
