package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weeklybot/content"
)

func TestVotesRankHits(t *testing.T) {
	hits := func(scores ...float64) (list []content.Hit) {
		for k, s := range scores {
			list = append(list, content.Hit{Item: &content.Item{ID: fmt.Sprint("i", k)}, Score: s})
		}
		return list
	}
	for _, c := range []struct {
		name string
		hits []content.Hit
		sums map[string]int
		want string
	}{
		{"nobody voted", hits(4, 3, 2), nil, "i0 i1 i2"},
		{"one vote lifts among equals", hits(2, 2, 2), map[string]int{"i2": 1}, "i2 i0 i1"},
		{"one vote does not decide", hits(4, 3, 2), map[string]int{"i2": 1}, "i0 i1 i2"},
		{"many lift", hits(4, 3, 3), map[string]int{"i2": 30}, "i2 i0 i1"},
		{"many sink", hits(4, 3, 2.5), map[string]int{"i0": -30}, "i1 i2 i0"},
		{"however many", hits(9, 2), map[string]int{"i0": -100_000, "i1": 100_000}, "i0 i1"},
		{"others' votes", hits(2, 2), map[string]int{"elsewhere": 9}, "i0 i1"},
	} {
		v := newVotes(nil)
		if c.sums != nil {
			v.sums.Store(&c.sums)
		}
		v.rank(c.hits)
		var order []string
		for _, h := range c.hits {
			order = append(order, h.Item.ID)
		}
		if diff := cmp.Diff(c.want, strings.Join(order, " ")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, diff)
		}
	}
}
