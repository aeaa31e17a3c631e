package redisstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weeklybot/bot"
	"weeklybot/bot/embedded"
)

func TestNoticesAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		s.maxNotices = 20
		t.Cleanup(func() { s.rdb.Del(context.Background(), s.keys.notices()) })
		add := func(i int) (bool, error) {
			return s.AddNotice(ctx, bot.Notice{ID: fmt.Sprint("n", i), To: []string{bot.ToAdmins}, At: time.Unix(int64(i), 0)})
		}
		for i := range 20 {
			if first, err := add(i); err != nil || !first {
				t.Fatalf("AddNotice(%d) = %v, %v", i, first, err)
			}
		}
		if _, err := add(20); !errors.Is(err, bot.ErrNoticesFull) {
			t.Errorf("with all waiting a new one = %v, want a refusal", err)
		}
		if first, err := add(0); err != nil || first {
			t.Errorf("one that waits, raised again = %v, %v", first, err)
		}
		list, err := s.Notices(ctx)
		if err != nil || len(list) != 20 {
			t.Fatalf("Notices = %d, %v", len(list), err)
		}
		n := list[0]
		n.To = nil
		if _, ok, err := s.ChangeNotice(ctx, n); err != nil || !ok {
			t.Fatalf("told: %v, %v", ok, err)
		}
		if _, ok, err := s.ChangeNotice(ctx, list[0]); err != nil || ok {
			t.Errorf("a change of what somebody has changed = %v, %v", ok, err)
		}
		if first, err := add(0); err != nil || first {
			t.Errorf("one that was told, raised again = %v, %v", first, err)
		}
		if first, err := add(20); err != nil || !first {
			t.Errorf("with one told, a new one = %v, %v", first, err)
		}
		if n := s.rdb.HLen(ctx, s.keys.notices()).Val(); n != 20 {
			t.Errorf("%d are kept, want 20", n)
		}
	})
}

func TestOwedIsPackedWhole(t *testing.T) {
	for _, o := range []bot.Owed{{}, {From: 7}, {From: 7, First: true}, {From: 7, Times: 3}, {From: 12, First: true, Times: 40}} {
		if diff := cmp.Diff(&o, unpackOwed(packOwed(o))); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", o, diff)
		}
	}
}

// Who is still to be told is told where the state goes; what was told is not told again there.
func TestNoticesMoveToAnotherStore(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		t.Cleanup(func() { s.rdb.Del(context.Background(), s.keys.notices()) })
		waits := bot.Notice{ID: "waits", To: []string{bot.ToAdmins, "slack:T1/U1"}, Lang: "en", Zh: "出错了", En: "It broke", At: time.Unix(7, 0).UTC(), Tries: 2}
		claimed := waits
		claimed.NotBefore, claimed.Claim = time.Now().Add(time.Hour), "me"
		for _, n := range []bot.Notice{claimed, {ID: "told", To: []string{bot.ToAdmins}}} {
			if _, err := s.AddNotice(ctx, n); err != nil {
				t.Fatal(err)
			}
		}
		list, err := s.Notices(ctx)
		if err != nil || len(list) != 2 {
			t.Fatalf("Notices = %v, %v", list, err)
		}
		for _, n := range list {
			if n.ID == "told" {
				n.To = nil
				if _, ok, err := s.ChangeNotice(ctx, n); err != nil || !ok {
					t.Fatalf("told: %v, %v", ok, err)
				}
			}
		}
		var file bytes.Buffer
		if _, err := s.Export(ctx, &file); err != nil {
			t.Fatal(err)
		}
		e, err := embedded.Open(t.TempDir(), embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c := e.Client()
		t.Cleanup(func() { _ = c.Close(); _ = e.Close() })
		other := open(t, c, Options{Shards: 3, Sole: true})
		if _, err := other.Import(ctx, &file); err != nil {
			t.Fatal(err)
		}
		got, err := other.Notices(ctx)
		if err != nil || len(got) != 1 {
			t.Fatalf("Notices = %v, %v", got, err)
		}
		waits.Stored = got[0].Stored
		if diff := cmp.Diff(waits, got[0]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if first, err := other.AddNotice(ctx, bot.Notice{ID: "told", To: []string{bot.ToAdmins}}); err != nil || first {
			t.Errorf("what was told before, raised again = %v, %v", first, err)
		}
	})
}
