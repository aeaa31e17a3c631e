package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
	"weeklybot/bot/embedded"
	"weeklybot/internal/needs"
)

// onBoth runs a test on the embedded engine with one shard and on a real redis-server with 16.
func onBoth(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("embedded", func(t *testing.T) {
		e, err := embedded.Open(t.TempDir(), embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		c := e.Client()
		t.Cleanup(func() { _ = c.Close() })
		test(t, open(t, c, Options{Shards: 1, Sole: true}))
	})
	t.Run("redis", func(t *testing.T) {
		test(t, open(t, needs.RedisClient(t), Options{Prefix: fmt.Sprint("t", time.Now().UnixNano())}))
	})
}

func open(t *testing.T, rdb redis.UniversalClient, opt Options) *Store {
	t.Helper()
	opt.SlotID = func(s bot.Schedule) string { return s.Cron + s.Zone }
	opt.Next = func(_ bot.Schedule, after time.Time) (time.Time, error) {
		return after.Truncate(time.Minute).Add(time.Minute), nil
	}
	s, err := Open(t.Context(), rdb, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func channel(n int) bot.Channel {
	return bot.Channel{Adapter: "fake", Kind: "app", Workspace: "W1", Address: fmt.Sprint("C", n), Name: fmt.Sprint("channel ", n)}
}

var minutely = bot.Schedule{Cron: "* * * * *", Zone: "Asia/Shanghai"}

func TestSubscriptionsLiveInTheirSlots(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		sub, err := s.Add(ctx, channel(1), bot.Subscription{Series: []string{"cloud"}, Topics: []string{"ebpf", "istio"}, Schedule: minutely, Style: bot.StyleFull, Lang: "zh", MaxItems: 7, By: "fake:W1/U1"})
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.Add(ctx, channel(1), bot.Subscription{Schedule: bot.Schedule{OnPublish: true}, Style: bot.StyleBrief, Lang: "en"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.List(ctx, channel(1).ID())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]bot.Subscription{sub, second}, got); diff != "" {
			t.Errorf("List (-want +got):\n%s", diff)
		}
		if sub.State != bot.StateActive || sub.SinceAt.IsZero() || sub.ID.Ordinal != 1 || second.ID.Ordinal != 2 {
			t.Errorf("Add assigned %+v", sub)
		}
		shard := s.keys.shardOf(channel(1).ID())
		for slot, want := range map[string]int{s.opt.SlotID(minutely): 1, "pub:*": 1} {
			if m, err := s.Members(ctx, shard, slot); err != nil || len(m) != want {
				t.Errorf("slot %s has members %q, %v", slot, m, err)
			}
		}
		if _, err := s.Change(ctx, sub.ID, func(c *bot.Subscription) error { c.Schedule = bot.Schedule{OnPublish: true}; return nil }); err != nil {
			t.Fatal(err)
		}
		if slots, err := s.Slots(ctx, shard, []string{s.opt.SlotID(minutely)}); err != nil || len(slots) != 0 {
			t.Errorf("an empty slot stays: %+v, %v", slots, err)
		}
		if m, _ := s.Members(ctx, shard, "pub:cloud"); len(m) != 1 {
			t.Errorf("pub:cloud has %d members, want 1", len(m))
		}
		if err := s.Remove(ctx, sub.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(ctx, sub.ID); !errors.Is(err, bot.ErrNotFound) {
			t.Errorf("removing twice: %v, want not found", err)
		}
		if third, err := s.Add(ctx, channel(1), bot.Subscription{Schedule: minutely}); err != nil || third.ID.Ordinal != 3 {
			t.Errorf("an ordinal is given twice: %v, %v", third.ID, err)
		}
	})
}

func TestSubscriptionsSurviveConcurrentChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		errs := make(chan error, 10)
		for i := range 10 {
			go func() {
				_, err := s.Add(context.WithoutCancel(t.Context()), channel(1), bot.Subscription{Schedule: minutely, MaxItems: i})
				errs <- err
			}()
		}
		for range 10 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		subs, err := s.List(t.Context(), channel(1).ID())
		if err != nil || len(subs) != 10 {
			t.Errorf("%d subscriptions, want 10 (%v)", len(subs), err)
		}
	})
}

func TestMovedChannelKeepsItsSubscriptions(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if _, err := s.Add(ctx, channel(1), bot.Subscription{Schedule: minutely, MaxItems: 3}); err != nil {
			t.Fatal(err)
		}
		for range 2 { // an event may come twice
			if err := s.Moved(ctx, channel(1), channel(2)); err != nil {
				t.Fatal(err)
			}
		}
		old, _ := s.List(ctx, channel(1).ID())
		moved, _ := s.List(ctx, channel(2).ID())
		if len(old) != 0 || len(moved) != 1 || moved[0].MaxItems != 3 || moved[0].ID.Channel != channel(2).ID() {
			t.Errorf("after the move: old %+v, new %+v", old, moved)
		}
		shard := s.keys.shardOf(channel(2).ID())
		if m, _ := s.Members(ctx, shard, s.opt.SlotID(minutely)); len(m) != 1 {
			t.Errorf("%d members in the new channel's slot", len(m))
		}
	})
}

func TestTallyCountsByMonth(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		for _, c := range []struct {
			name, month string
			n, want     int64
		}{
			{"a", "2026-10", 5, 5}, {"a", "2026-11", 2, 2}, {"a", "2026-11", 3, 5}, {"a", "2026-11", 0, 5}, {"b", "2026-10", 7, 7}, {"a", "2026-12", 1, 1}, {"b", "2026-10", 1, 8},
		} {
			if got, err := s.Tally(t.Context(), c.name, c.month, c.n); err != nil || got != c.want {
				t.Errorf("Tally(%s, %s, %d) = %d, %v, want %d", c.name, c.month, c.n, got, err, c.want)
			}
		}
		if fields, err := s.rdb.HLen(t.Context(), s.keys.tally()).Result(); err != nil || fields != 2 {
			t.Errorf("%d fields are kept, %v, want the newest month of either name", fields, err)
		}
	})
}

func TestCatalogueNumbersOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		today := time.Now().UTC().Format(time.DateOnly)
		archive := []bot.Sighting{{Key: "cloud/#1", Series: "cloud", Date: "2019-04-16"}, {Key: "cloud/#2", Series: "cloud", Date: today}}
		for range 2 {
			if _, err := s.Publish(ctx, "folder", archive); err != nil {
				t.Fatal(err)
			}
		}
		later := append(archive,
			bot.Sighting{Key: "cloud/#3", Series: "cloud", Date: today}, bot.Sighting{Key: "cloud/#0", Series: "cloud", Date: "2001-01-01"},
			bot.Sighting{Key: "cloud/#4", Series: "cloud", Date: today, Empty: true}, bot.Sighting{Key: "hot/page/hot.md", Series: "hot", Items: []string{"a", "b"}})
		if _, err := s.Publish(ctx, "folder", later); err != nil {
			t.Fatal(err)
		}
		grown := []bot.Sighting{{Key: "hot/page/hot.md", Series: "hot", Items: []string{"c", "b"}}, {Key: "cloud/#4", Series: "cloud", Date: today}}
		if _, err := s.Publish(ctx, "folder", grown); err != nil {
			t.Fatal(err)
		}
		head, err := s.Head(ctx)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := s.Entries(ctx, 0, head)
		if err != nil {
			t.Fatal(err)
		}
		for i := range entries {
			entries[i].SeenMs = 0
		}
		want := []bot.Entry{
			{Seq: 1, Key: "cloud/#1", Series: "cloud", Back: true},
			{Seq: 2, Key: "cloud/#2", Series: "cloud", Back: true}, // first load
			{Seq: 3, Key: "cloud/#3", Series: "cloud"},
			{Seq: 4, Key: "cloud/#0", Series: "cloud", Back: true}, // old
			{Seq: 5, Key: "hot/page/hot.md", Series: "hot"},
			{Seq: 6, Key: "hot/page/hot.md", Series: "hot", Items: []string{"c"}},
			{Seq: 7, Key: "cloud/#4", Series: "cloud"},
		}
		if diff := cmp.Diff(want, entries); diff != "" {
			t.Errorf("catalogue (-want +got):\n%s", diff)
		}
	})
}

// A server that comes back without its last moments does not know any more that a node took a shard. The node's next beat tells it, at the epoch that
// the node has; until then its commits wait, and nobody else's are taken.
func TestAServerThatForgotALeaseIsToldAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		lease := take(t, s, "a")
		state := s.keys.state(lease.Shard)
		if r := s.Commit(ctx, []bot.Commit{{Lease: lease, Number: lease.Commit + 1}}); r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
		s.rdb.Del(ctx, state)
		s.rdb.HSet(ctx, state, "owner", "who was before", "until", time.Now().Add(time.Minute).UnixMilli())
		next := bot.Commit{Lease: lease, Number: lease.Commit + 2}
		if r := s.Commit(ctx, []bot.Commit{next}); r[0].Err == nil || errors.Is(r[0].Err, bot.ErrFenced) {
			t.Errorf("a commit that the server does not expect: %v, want one to be repeated", r[0].Err)
		}
		b, err := s.Beat(ctx, "a", []bot.Lease{lease}, nil)
		if err != nil || len(b.Ticks) != 1 || b.Ticks[0].Err != nil || b.Ticks[0].Lease.Epoch != lease.Epoch {
			t.Fatalf("Beat = %+v, %v; want the lease at epoch %d", b, err, lease.Epoch)
		}
		if r := s.Commit(ctx, []bot.Commit{next}); !errors.Is(r[0].Err, bot.ErrBehind) || r[0].Last != lease.Commit {
			t.Errorf("the commit after the lost one: %+v, want behind after %d", r[0], lease.Commit)
		}
		if s.opt.Sole {
			return // there is no other node
		}
		if b, err := s.Beat(ctx, "b", []bot.Lease{{Shard: lease.Shard, Epoch: lease.Epoch}}, nil); err != nil || !errors.Is(b.Ticks[0].Err, bot.ErrFenced) {
			t.Errorf("another node at the same epoch: %+v, %v; want fenced", b, err)
		}
	})
}

// A server that has lost a commit gets it again in its packed form, and knows the same as before.
func TestPackedCommitIsTheWholeCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		lease := take(t, s, "a")
		entry := bot.PageEntry{Member: bot.SlotMember{Channel: channel(1).ID(), Ordinal: 1}, Run: "r1", Due: time.Unix(1700000000, 0), Recipe: &bot.Recipe{Upto: 2}}
		page := bot.Page{Number: lease.Page + 1, Lane: "fake", Entries: []bot.PageEntry{entry}}
		place := bot.Place{Page: page.Number}
		c := bot.Commit{
			Lease: lease, Number: lease.Commit + 1, Pages: []bot.Page{page},
			Outcomes: []bot.Outcome{{Place: place, State: bot.Queued, At: time.Unix(1700000100, 0), NotBefore: time.Unix(1700000160, 0)}},
			Flights:  map[string][]bot.Flight{"fake": {{Place: place, Part: 1, At: time.UnixMilli(1700000100123)}}},
		}
		give := func(lease bot.Lease, c bot.Commit) (bot.Takeover, any) {
			t.Helper()
			r := s.Commit(ctx, []bot.Commit{c})
			known, _, err := s.Takeover(ctx, lease)
			if r[0].Err != nil || err != nil {
				t.Fatal(r[0].Err, err)
			}
			return known, r[0].Packed
		}
		want, packed := give(lease, c)
		if len(want.Pages) != 1 || len(want.Ledger) != 1 || len(want.Flights) != 1 {
			t.Fatalf("the store knows %+v", want)
		}
		k, sh := s.keys, lease.Shard
		if n, err := s.rdb.Del(ctx, k.state(sh), k.page(sh, page.Number), k.todo(sh), k.ledger(sh, page.Number), k.fly(sh)).Result(); n != 5 || err != nil {
			t.Fatalf("%d keys are lost, %v; want 5", n, err)
		}
		lease = take(t, s, "a")
		got, _ := give(lease, bot.Commit{Lease: lease, Number: c.Number, Packed: packed})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Takeover (-want +got):\n%s", diff)
		}
	})
}

func TestCommitIsFencedNumberedAndRepeatable(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		lease := take(t, s, "a")
		page := bot.Page{Number: lease.Page + 1, Lane: "fake", Entries: []bot.PageEntry{
			{Member: bot.SlotMember{Channel: channel(1).ID(), Ordinal: 1}, Run: "r1", Due: time.Unix(1700000000, 0), Recipe: &bot.Recipe{From: 1, Upto: 2, Style: bot.StyleBrief}},
			{Member: bot.SlotMember{Channel: channel(2).ID(), Ordinal: 300}, Run: "r2", Due: time.Unix(1700000060, 0), Recipe: &bot.Recipe{Upto: 2, First: true}, Owed: true},
		}}
		sent := bot.Outcome{Place: bot.Place{Page: page.Number}, State: bot.Sent, At: time.Unix(1700000100, 0), Attempts: 2, Parts: 3, First: "171.5", Cut: "0123456789abcdef"}
		wait := bot.Outcome{Place: bot.Place{Page: page.Number, Index: 1}, State: bot.Queued, At: time.Unix(1700000100, 0), NotBefore: time.Unix(1700000160, 0), Code: "45009"}
		flight := bot.Flight{Place: wait.Place, Part: 1, At: time.UnixMilli(1700000100123)}
		c := bot.Commit{
			Lease: lease, Number: lease.Commit + 1, Pages: []bot.Page{page}, Outcomes: []bot.Outcome{sent, wait},
			Flights: map[string][]bot.Flight{"fake": {flight}}, Counts: map[bot.Reached]int{{Run: "r1", State: bot.Sent}: 1},
			Fires: []bot.Fire{{Run: bot.Run{ID: "r1", Slot: "x", State: bot.RunOpen, Due: time.Unix(1700000000, 0).UTC(), Fired: time.Unix(1700000000, 0).UTC()}, Slot: "x"}},
		}
		for i := range 3 { // the answer may have been lost
			if r := s.Commit(ctx, []bot.Commit{c}); r[0].Err != nil {
				t.Fatalf("commit, time %d: %v", i+1, r[0].Err)
			}
		}
		if n := s.rdb.HGet(ctx, s.keys.counts(lease.Shard), "r1 sent").Val(); n != "1" {
			t.Errorf("a repeated commit counted %s times", n)
		}
		got, faults, err := s.Takeover(ctx, lease)
		if err != nil || len(faults) > 0 {
			t.Fatal(err, faults)
		}
		want := bot.Takeover{
			Lease: lease, Flights: c.Flights, Pages: []bot.Page{page}, Runs: []bot.Run{c.Fires[0].Run},
			Ledger: map[bot.Place]bot.Outcome{sent.Place: sent, wait.Place: wait}, Owed: map[bot.SlotMember]bot.Owed{}, Ill: map[bot.ChannelID]bot.Ailment{},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Takeover (-want +got):\n%s", diff)
		}
		next := func(n int64) bot.Commit { return bot.Commit{Lease: lease, Number: c.Number + n} }
		if r := s.Commit(ctx, []bot.Commit{next(2)}); !errors.Is(r[0].Err, bot.ErrBehind) || r[0].Last != c.Number {
			t.Errorf("a commit after a missing one: %+v, want behind after %d", r[0], c.Number)
		}
		if r := s.Commit(ctx, []bot.Commit{next(1), next(2), next(3)}); r[0].Err != nil || r[1].Err != nil || r[2].Err != nil {
			t.Errorf("three commits at once: %+v", r)
		}
		stolen := lease
		stolen.Epoch--
		if r := s.Commit(ctx, []bot.Commit{{Lease: stolen, Number: c.Number + 4}}); !errors.Is(r[0].Err, bot.ErrFenced) {
			t.Errorf("a former owner's commit: %v, want fenced", r[0].Err)
		}
	})
}

func TestPackedSizes(t *testing.T) {
	sub := bot.Subscription{ID: bot.SubscriptionID{Ordinal: 1}, Series: []string{"cloud-native-weekly"}, Topics: []string{"ebpf"}, Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "Asia/Shanghai"}, Style: bot.StyleBrief, Lang: "zh", State: bot.StateActive, By: "slack:T0123456789/U0123456789", Since: 1234, SinceAt: time.Now()}
	r := record{channel: bot.Channel{Adapter: "slack", Kind: "app", Workspace: "T0123456789", Address: "C0123456789", Name: "cloud-native"}, last: 1, subs: []bot.Subscription{sub}}
	if n := len(r.pack()); n > 188 {
		t.Errorf("a channel record takes %d bytes, want at most 188", n)
	}
	o := bot.Outcome{State: bot.Sent, At: time.Now(), Parts: 2, First: "1712345678.123456", Cut: "0123456789abcdef"}
	if n := len(packOutcome(nil, o, 0)); n > 64 {
		t.Errorf("a ledger entry takes %d bytes, want at most 64", n)
	}
	page := bot.Page{Number: 1, Lane: "slack"}
	for i := range 100 {
		page.Entries = append(page.Entries, bot.PageEntry{Member: bot.SlotMember{Channel: channel(i).ID(), Ordinal: 1}, Run: "a1b2c3d4@1700000000", Due: time.Unix(1700000000, 0), Recipe: &bot.Recipe{From: 1, Upto: 2}})
	}
	if n := len(packPage(page)); n > 1600 {
		t.Errorf("a page of 100 takes %d bytes, want at most 1600", n)
	}
}

func TestShardTagsSpreadOverACluster(t *testing.T) {
	seen := map[int]bool{}
	for i, tag := range shardTags {
		slot := int(crc16(tag)) % 16384
		if slot/1024 != i {
			t.Errorf("tag %s of shard %d has slot %d, in sixteenth %d", tag, i, slot, slot/1024)
		}
		seen[slot/1024] = true
	}
	if len(seen) != maxShards {
		t.Errorf("tags fall into %d sixteenths", len(seen))
	}
	if _, err := newKeys("w{b", 16); err == nil {
		t.Error("a prefix with a brace was taken")
	}
}

// crc16 is the XMODEM checksum that Redis Cluster uses. Source: redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec, read 2026-11.
func crc16(s string) (sum uint16) {
	for _, b := range []byte(s) {
		sum ^= uint16(b) << 8
		for range 8 {
			if sum&0x8000 != 0 {
				sum = sum<<1 ^ 0x1021
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

func TestDamagedRecordsAreFaultsNotPanics(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		sub, err := s.Add(ctx, channel(1), bot.Subscription{Schedule: minutely})
		if err != nil {
			t.Fatal(err)
		}
		id := channel(1).ID()
		shard := s.keys.shardOf(id)
		s.rdb.HSet(ctx, s.keys.channels(shard), string(id[:]), "\x01\xff\xff\xff\xff\xff")
		records, faults, err := s.Records(ctx, shard, []string{packMember(bot.SlotMember(sub.ID)), "short"})
		if err != nil || len(faults) != 1 || !records[0].Gone || !records[1].Gone {
			t.Errorf("Records of a damaged channel: %+v, %v, %v", records, faults, err)
		}
		if _, err := s.List(ctx, id); !errors.Is(err, errDamaged) {
			t.Errorf("List of a damaged channel: %v", err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	r := record{channel: channel(1), last: 2, subs: []bot.Subscription{{ID: bot.SubscriptionID{Channel: channel(1).ID(), Ordinal: 2}, Schedule: minutely, Style: bot.StyleFull, State: bot.StatePaused, SinceAt: time.UnixMilli(1700000000000).UTC()}}}
	f.Add(r.pack())
	f.Add(packPage(bot.Page{Lane: "x", Entries: []bot.PageEntry{{Run: "r", Due: time.Unix(1, 0), Recipe: &bot.Recipe{}}}}))
	f.Add([]byte(packOutcome(nil, bot.Outcome{State: bot.Sent, At: time.Unix(1, 0)}, 0)))
	f.Add(ledgersOf([]bot.Outcome{{State: bot.Sent, At: time.Unix(1, 0)}, {Place: bot.Place{Index: 99}, State: bot.Dead, At: time.Unix(2, 0), Code: "x"}})[0].chunk())
	f.Add(packFlights([]bot.Flight{{Part: 1, At: time.UnixMilli(1)}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := unpackRecord(channel(1).ID(), string(b)); err == nil {
			if again, err := unpackRecord(channel(1).ID(), string(r.pack())); err != nil || cmp.Diff(r.subs, again.subs) != "" {
				t.Errorf("a record changes when packed again: %v", err)
			}
		}
		_, _ = unpackPage(1, string(b))
		_, _ = unpackOutcome(bot.Place{}, string(b), 0)
		_ = readOver(1, string(b), map[bot.Place]bot.Outcome{})
		_, _ = unpackFlights(string(b))
	})
}

// take makes node the owner of the shard of channel 1.
func take(t *testing.T, s *Store, node string) bot.Lease {
	t.Helper()
	shard := s.keys.shardOf(channel(1).ID())
	b, err := s.Beat(t.Context(), node, nil, []int{shard})
	if err != nil || len(b.Ticks) != 1 {
		t.Fatalf("take shard %d: %v, %v", shard, b, err)
	}
	return b.Ticks[0].Lease
}

func TestMain(m *testing.M) { os.Exit(m.Run()) }

func TestExportImportKeepsWhatIsStillToCome(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		if _, err := s.Publish(ctx, "folder", []bot.Sighting{{Key: "a/#1", Series: "a"}}); err != nil {
			t.Fatal(err)
		}
		fresh, err := s.Add(ctx, channel(1), bot.Subscription{Topics: []string{"ebpf"}, Schedule: minutely, Style: bot.StyleFull, Lang: "zh", MaxItems: 3, By: "fake:W1/U1"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Add(ctx, channel(2), bot.Subscription{Schedule: bot.Schedule{OnPublish: true}, Lang: "en", Style: bot.StyleBrief}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Publish(ctx, "folder", []bot.Sighting{{Key: "a/#2", Series: "a"}}); err != nil {
			t.Fatal(err)
		}
		for member, vote := range map[string]int{"slack/T1/U1": 1, "slack/T1/U2": 1, "slack/T1/U3": -1, "slack/T1/U4": 1} {
			if err := s.Vote(ctx, "an item", member, vote); err != nil {
				t.Fatal(err)
			}
		}
		var file strings.Builder
		if n, err := s.Export(ctx, &file); err != nil || n != 2 {
			t.Fatalf("Export = %d, %v", n, err)
		}
		if _, err := s.Import(ctx, strings.NewReader(file.String())); err == nil {
			t.Error("imported into a store that holds something")
		}
		other := open(t, s.rdb, Options{Prefix: s.opt.Prefix + "x", Shards: 4})
		if n, err := other.Import(ctx, strings.NewReader(file.String())); err != nil || n != 2 {
			t.Fatalf("Import = %d, %v", n, err)
		}
		var again strings.Builder
		if _, err := other.Export(ctx, &again); err != nil {
			t.Fatal(err)
		}
		if a, b := sortedLines(file.String()), sortedLines(again.String()); cmp.Diff(a, b) != "" {
			t.Errorf("export after import (-want +got):\n%s", cmp.Diff(a, b))
		}
		if err := other.Vote(ctx, "an item", "slack/T1/U1", -1); err != nil { // still the vote of the same member
			t.Fatal(err)
		}
		if sums, _, err := other.Votes(ctx, -1); err != nil || sums["an item"] != 0 || len(sums) > 1 {
			t.Errorf("votes after the import: %v, %v, want 2 less 2", sums, err)
		}
		want, _, err := s.Next(ctx, fresh.ID)
		if err != nil {
			t.Fatal(err)
		}
		got, entries, err := other.Next(ctx, fresh.ID)
		if err != nil || cmp.Diff(want, got) != "" || !got.First || len(entries) != 2 || entries[1].Key != "a/#2" { // a first digest is composed from the whole catalogue
			t.Errorf("the next digest changed (%v, %v):\n%s", err, entries, cmp.Diff(want, got))
		}
		for _, bad := range []string{"", "{}", "[", `{"type":"weeklybot-state","version":1}` + "\n" + `{"type":"channel"}`,
			`{"type":"weeklybot-state","version":1}` + "\n" + `{"type":"vote","vote":{"item":"a","who":"0011223344556677","vote":2}}`, `{"type":"weeklybot-state","version":1}` + "\n" + `{"type":"vote","vote":{"item":"a","who":"x","vote":1}}`, `{"type":"weeklybot-state","version":9}`} {
			if _, err := open(t, s.rdb, Options{Prefix: s.opt.Prefix + "y"}).Import(ctx, strings.NewReader(bad)); err == nil {
				t.Errorf("Import(%q) found no fault", bad)
			}
		}
	})
}

// sortedLines leaves out the first line, which holds the time.
func sortedLines(s string) []string {
	lines := strings.Split(strings.TrimSpace(s), "\n")[1:]
	slices.Sort(lines)
	return lines
}
