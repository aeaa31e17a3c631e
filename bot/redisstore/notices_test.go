package redisstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weeklybot/bot"
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
		if _, err := add(20); !errors.Is(err, errNoticesFull) {
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
