package redisstore

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVotes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		s.maxVotes = 6
		t.Cleanup(func() {
			s.rdb.Del(context.Background(), s.keys.votes(), s.keys.voteAges(), s.keys.voteSums(), s.keys.voteRev())
		})
		rev := int64(-1)
		for _, c := range []struct {
			item, member string
			vote         int
			want         map[string]int // nil: nothing changed
		}{
			{"a", "slack/T1/U1", 1, map[string]int{"a": 1}},
			{"a", "slack/T1/U1", 1, nil},
			{"a", "slack/T1/U2", 1, map[string]int{"a": 2}},
			{"a", "slack/T2/U1", -1, map[string]int{"a": 1}},
			{"a", "slack/T1/U1", -1, map[string]int{"a": -1}},
			{"a", "slack/T1/U1", 0, map[string]int{}},
			{"an item 1f", "slack/T1/U1", 1, map[string]int{"an item 1f": 1}},
			{"an item 1f", "slack/T1/U2", 0, nil},
		} {
			if err := s.Vote(ctx, c.item, c.member, c.vote); err != nil {
				t.Fatal(err)
			}
			got, next, err := s.Votes(ctx, rev)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%+v: %v (-want +got)\n%s", c, err, diff)
			}
			if rev = next; rev < 1 {
				t.Errorf("revision %d", rev)
			}
		}
		for k := range 20 { // more than are kept: the oldest go
			if err := s.Vote(ctx, fmt.Sprint("item ", k), "m", 1); err != nil {
				t.Fatal(err)
			}
		}
		got, _, err := s.Votes(ctx, rev)
		if want := map[string]int{"item 14": 1, "item 15": 1, "item 16": 1, "item 17": 1, "item 18": 1, "item 19": 1}; err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("kept: %v, %v", got, err)
		}
		for _, wrong := range []struct {
			item string
			vote int
		}{{"", 1}, {strings.Repeat("a", 301), 1}, {"a", 2}} {
			if s.Vote(ctx, wrong.item, "m", wrong.vote) == nil {
				t.Errorf("%+v was taken", wrong)
			}
		}
	})
}
