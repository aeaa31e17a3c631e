package redisstore

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weeklybot/bot"
	"weeklybot/bot/embedded"
)

// draft keeps a broadcast that is due at next; zero: it stays a draft.
func draft(t *testing.T, s *Store, b bot.Broadcast, next time.Time) string {
	t.Helper()
	b, err := s.Draft(t.Context(), b, bot.Message{Title: "hello", Lang: "en"})
	if err == nil && !next.IsZero() {
		_, err = s.ChangeBroadcast(t.Context(), b.ID, func(b *bot.Broadcast) (*bot.Order, error) {
			b.State, b.Next = bot.BroadcastScheduled, next
			return nil, nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.ID
}

// Orders that several nodes give at once have a number each, and none is lost.
func TestOrdersAreNumberedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		const givers, each = 3, 5
		var wg sync.WaitGroup
		for g := range givers {
			wg.Go(func() {
				for n := range each {
					for { // beaten too often by the others: again
						if err := s.Give(t.Context(), bot.Order{Kind: bot.OrderDrop, Letter: fmt.Sprint(g, "-", n)}); err == nil {
							break
						}
					}
				}
			})
		}
		wg.Wait()
		orders, err := s.Orders(t.Context(), 0, givers*each+10)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for i, o := range orders {
			if o.Number != int64(i+1) {
				t.Errorf("order %d has number %d", i+1, o.Number)
			}
			if o.Kind != "" {
				seen[o.Letter]++
			}
		}
		if len(seen) != givers*each {
			t.Errorf("%d of %d orders are there: %v", len(seen), givers*each, seen)
		}
	})
}

// However many nodes start what is due, each occurrence is ordered once; those that passed while nobody ran are one.
func TestDueBroadcastsStartOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		now := time.Now()
		once, often := draft(t, s, bot.Broadcast{}, now.Add(-time.Minute)), draft(t, s, bot.Broadcast{Schedule: minutely}, now.Add(-10*time.Minute))
		later := draft(t, s, bot.Broadcast{}, now.Add(time.Hour))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := s.StartDue(t.Context(), now); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		orders, err := s.Orders(t.Context(), 0, 2)
		if err != nil || len(orders) != 2 || orders[0].Kind == "" || orders[1].Kind == "" {
			t.Fatalf("orders %+v, %v: want two", orders, err)
		}
		if b, err := s.Beat(t.Context(), "node", nil, nil); err != nil || b.Pulse.Orders != 2 || b.Pulse.Due || b.Next.IsZero() {
			t.Errorf("Beat = %+v, %v: want two orders, nothing due, something planned", b, err)
		}
		for id, want := range map[string]bot.BroadcastState{once: bot.BroadcastRunning, often: bot.BroadcastRunning, later: bot.BroadcastScheduled} {
			b, err := s.Broadcast(t.Context(), id)
			if err != nil || b.State != want || (id == once) != b.Next.IsZero() || (id != later) != (len(b.Runs) == 1) {
				t.Errorf("%s: %+v, %v; want %s", id, b, err, want)
			}
			if id == often && now.Sub(b.Runs[0].Due) > time.Minute {
				t.Errorf("the run stands for %v, want the newest occurrence before %v", b.Runs[0].Due, now)
			}
		}
	})
}

// Cancelled between being found due and being started, a broadcast does not start.
func TestCancelBeatsStart(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		id := draft(t, s, bot.Broadcast{}, time.Now().Add(-time.Minute))
		_, err := s.ChangeBroadcast(t.Context(), id, func(b *bot.Broadcast) (*bot.Order, error) { b.State = bot.BroadcastCancelled; return nil, nil })
		if err != nil {
			t.Fatal(err)
		}
		if err := s.StartDue(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if b, err := s.Beat(t.Context(), "node", nil, nil); err != nil || b.Pulse.Orders != 0 {
			t.Errorf("Beat = %+v, %v: want no order", b.Pulse, err)
		}
	})
}

func TestBroadcastsAreListedAndForgotten(t *testing.T) {
	e, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := e.Client()
	t.Cleanup(func() { _ = c.Close(); _ = e.Close() })
	s := open(t, c, Options{Shards: 1, Sole: true})
	standing := draft(t, s, bot.Broadcast{}, time.Now().Add(time.Hour))
	for range maxBroadcasts + 4 {
		draft(t, s, bot.Broadcast{}, time.Time{})
	}
	var ids []string
	for before := ""; ; before = ids[len(ids)-1] {
		page, err := s.Broadcasts(t.Context(), before, 300)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range page {
			ids = append(ids, b.ID)
		}
		if len(page) < 300 {
			break
		}
	}
	if len(ids) != maxBroadcasts+1 || ids[0] != broadcastID(maxBroadcasts+5) || ids[len(ids)-1] != standing {
		t.Errorf("%d broadcasts from %s to %s, want the newest %d and the one that still waits", len(ids), ids[0], ids[len(ids)-1], maxBroadcasts)
	}
	if _, err := s.Body(t.Context(), "b2"); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("the message of a forgotten broadcast = %v, want %v", err, bot.ErrNotFound)
	}
}

func TestBroadcastsMoveToAnotherStore(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		draft(t, s, bot.Broadcast{Token: "token", Audience: bot.Audience{Topics: []string{"ebpf"}}}, time.Time{})
		scheduled := draft(t, s, bot.Broadcast{Schedule: minutely}, time.Now().Add(time.Hour).Truncate(time.Second).UTC())
		running := draft(t, s, bot.Broadcast{}, time.Now().Add(-time.Minute))
		if err := s.StartDue(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if _, err := s.Export(t.Context(), &file); err != nil {
			t.Fatal(err)
		}
		e, err := embedded.Open(t.TempDir(), embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c := e.Client()
		t.Cleanup(func() { _ = c.Close(); _ = e.Close() })
		other := open(t, c, Options{Shards: 3, Sole: true})
		if _, err := other.Import(t.Context(), &file); err != nil {
			t.Fatal(err)
		}
		want, _ := s.Broadcasts(t.Context(), "", 10)
		got, err := other.Broadcasts(t.Context(), "", 10)
		if err != nil || len(got) != 3 {
			t.Fatalf("%d broadcasts, %v", len(got), err)
		}
		if diff := cmp.Diff(want[1:], got[1:]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got[0].ID != running || got[0].State != bot.BroadcastCancelled || got[0].Last().Done == nil {
			t.Errorf("what was running came as %+v, want it cancelled", got[0])
		}
		if err := other.StartDue(t.Context(), time.Now().Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		orders, err := other.Orders(t.Context(), 0, 1)
		if err != nil || len(orders) != 1 || orders[0].Broadcast != scheduled {
			t.Errorf("orders %+v, %v: want that of %s", orders, err, scheduled)
		}
		if id := draft(t, other, bot.Broadcast{}, time.Time{}); id != "b4" {
			t.Errorf("the next broadcast is %s, want b4", id)
		}
	})
}

func TestAuditLogIsBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		for n := range 3 {
			if err := s.Note(t.Context(), bot.Note{Who: "api", What: fmt.Sprint(n)}); err != nil {
				t.Fatal(err)
			}
		}
		notes, err := s.Notes(t.Context(), 1, 5)
		if err != nil || len(notes) != 2 || notes[0].What != "1" || notes[0].At.IsZero() {
			t.Errorf("notes %+v, %v: want the second newest and the one before", notes, err)
		}
		pad := make([]any, maxAudit)
		for i := range pad {
			pad[i] = "{}"
		}
		if err := s.rdb.LPush(t.Context(), s.keys.audit(), pad...).Err(); err != nil {
			t.Fatal(err)
		}
		if err := s.Note(t.Context(), bot.Note{Who: "api"}); err != nil {
			t.Fatal(err)
		}
		if n := s.rdb.LLen(t.Context(), s.keys.audit()).Val(); n != maxAudit {
			t.Errorf("%d notes are kept, want %d", n, maxAudit)
		}
	})
}
