package main

import (
	"context"
	"sync/atomic"
	"time"
)

// votesEvery is how often a replica looks whether members have voted elsewhere.
const votesEvery = 10 * time.Second

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

// net is the votes by item, useful less not useful; nil before they are known. It is not to be changed.
func (v *votes) net() map[string]int {
	if sums := v.sums.Load(); sums != nil {
		return *sums
	}
	return nil
}
