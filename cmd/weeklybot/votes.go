package main

import (
	"context"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"weeklybot/content"
)

const (
	// votesEvery is how often a replica looks whether members have voted elsewhere.
	votesEvery = 10 * time.Second
	// votesWeight is how far votes can lift an item, or sink it: to 1.5 times its score, or to half of it. votesHalf is how many votes do half
	// of that: one click must not decide, and a hundred need not be a hundred times as strong.
	votesWeight = 0.5
	votesHalf   = 3.0
)

// ballots is where votes are kept.
type ballots interface {
	Vote(ctx context.Context, item, member string, vote int) error
	Votes(ctx context.Context, known int64) (sums map[string]int, rev int64, err error)
}

// votes is what members think of items, as this replica knows it.
type votes struct {
	kept ballots
	sums atomic.Pointer[map[string]int]
	look chan struct{} // somebody voted here
}

func newVotes(kept ballots) *votes { return &votes{kept: kept, look: make(chan struct{}, 1)} }

// Vote keeps a vote; it counts here at once, on other replicas soon.
func (v *votes) Vote(ctx context.Context, item, member string, vote int) error {
	if err := v.kept.Vote(ctx, item, member, vote); err != nil {
		return err
	}
	select {
	case v.look <- struct{}{}:
	default:
	}
	return nil
}

// follow keeps the votes fresh until ctx ends; between two looks the ones before count.
func (v *votes) follow(ctx context.Context, failed func(error)) {
	rev := int64(-1)
	for {
		sums, next, err := v.kept.Votes(ctx, rev)
		switch {
		case err != nil && ctx.Err() == nil:
			failed(err)
		case err == nil && sums != nil:
			v.sums.Store(&sums)
			rev = next
		}
		select {
		case <-v.look:
		case <-time.After(votesEvery):
		case <-ctx.Done():
			return
		}
	}
}

// rank puts hits in order again, best first, votes counted. Hits without votes keep their order.
func (v *votes) rank(hits []content.Hit) {
	sums := v.sums.Load()
	if sums == nil || len(*sums) == 0 {
		return
	}
	for k := range hits {
		if n := (*sums)[hits[k].Item.ID]; n != 0 {
			hits[k].Score = math.Round(hits[k].Score*liked(n)*1e4) / 1e4
		}
	}
	slices.SortStableFunc(hits, func(a, b content.Hit) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
}

// liked is the factor of an item with n net votes: 1 for none, between 0.5 and 1.5.
func liked(n int) float64 {
	x := float64(n)
	return 1 + votesWeight*x/(math.Abs(x)+votesHalf)
}
