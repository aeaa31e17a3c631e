package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
)

// maxArgs is the most arguments one write inside a script gets: Lua's unpack has a limit.
const maxArgs = 200

// Commit applies commits, those of a shard in the order given, in one pipeline; with WaitReplicas in one per master, and then that master's WAIT on the same
// connection. A Committed with an error that is not ErrFenced leaves open whether it was applied: repeat the same commit.
func (s *Store) Commit(ctx context.Context, commits []bot.Commit) []bot.Committed {
	if s.opt.WaitReplicas == 0 {
		return s.commitTo(ctx, s.rdb, commits)
	}
	done := make([]bot.Committed, len(commits))
	places := map[redis.UniversalClient][]int{}
	for i, c := range commits {
		master, err := s.master(ctx, s.keys.state(c.Lease.Shard))
		if err != nil {
			done[i].Err = err
			continue
		}
		places[master] = append(places[master], i)
	}
	var wg sync.WaitGroup
	for master, which := range places {
		wg.Go(func() {
			var mine []bot.Commit
			for _, i := range which {
				mine = append(mine, commits[i])
			}
			for k, d := range s.commitTo(ctx, master, mine) {
				done[which[k]] = d
			}
		})
	}
	wg.Wait()
	return done
}

// master is the client of the one server that holds key.
func (s *Store) master(ctx context.Context, key string) (redis.UniversalClient, error) {
	if cluster, ok := s.rdb.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return s.rdb, nil
}

func (s *Store) commitTo(ctx context.Context, rdb redis.UniversalClient, commits []bot.Commit) []bot.Committed {
	done := make([]bot.Committed, len(commits))
	lists := make([]*writeList, len(commits))
	for i, c := range commits {
		if packed, ok := c.Packed.(*writeList); ok {
			lists[i] = packed
		} else {
			lists[i] = s.writes(c)
		}
	}
	var wait *redis.Cmd
	cmds, err := pipelined(ctx, rdb, func(p redis.Pipeliner) []*redis.Cmd {
		var cmds []*redis.Cmd
		for _, w := range lists {
			cmds = append(cmds, commitScript.EvalSha(ctx, p, w.keys, w.args...))
		}
		if s.opt.WaitReplicas > 0 {
			wait = s.askReplicas(ctx, p)
		}
		return cmds
	}, commitScript)
	for i := range done {
		if i >= len(cmds) {
			done[i].Err = err
			continue
		}
		if done[i] = committed(cmds[i], commits[i]); done[i].Err == nil {
			done[i].Packed = lists[i]
		}
		if done[i].Err == nil && wait != nil {
			done[i].Err = s.replicasHave(wait)
		}
	}
	if err != nil && s.opt.WaitReplicas > 0 {
		s.masterGone(ctx)
	}
	return done
}

// askReplicas waits for those that have what the connection has written so far.
func (s *Store) askReplicas(ctx context.Context, p redis.Pipeliner) *redis.Cmd {
	return p.Do(ctx, "WAIT", s.opt.WaitReplicas, waitFor.Milliseconds())
}

func (s *Store) replicasHave(wait *redis.Cmd) error {
	if n := number(wait.Val()); n < int64(s.opt.WaitReplicas) {
		return fmt.Errorf("only %d of %d replicas have what was written", n, s.opt.WaitReplicas)
	}
	return nil
}

// masterGone looks where a Cluster's masters are: one may have gone, and its own client does not notice.
func (s *Store) masterGone(ctx context.Context) {
	if cluster, ok := s.rdb.(*redis.ClusterClient); ok {
		cluster.ReloadState(ctx)
	}
}

// errLeaseLost: the server has lost the end of its log, and with it that the node took the shard. The next beat tells it again.
var errLeaseLost = errors.New("the server does not know any more who owns the shard")

// waitFor is how long a write waits for replicas before it is given again.
const waitFor = time.Second

func committed(cmd *redis.Cmd, c bot.Commit) bot.Committed {
	reply, err := cmd.Slice()
	if err != nil {
		return bot.Committed{Err: err}
	}
	switch found := number(reply[1]); {
	case number(reply[0]) == -1 && found < c.Lease.Epoch:
		return bot.Committed{Err: errLeaseLost}
	case number(reply[0]) == -1:
		return bot.Committed{Err: bot.ErrFenced}
	case number(reply[0]) == -2:
		return bot.Committed{Err: bot.ErrBehind, Last: found}
	}
	return bot.Committed{Ctl: number(reply[1])}
}

// writeList is one commit as keys and arguments of commit.lua.
type writeList struct {
	keys  []string
	args  []any
	index map[string]int // of keys; only while it is filled
}

func (w *writeList) add(cmd, key string, args ...any) {
	i, ok := w.index[key]
	if !ok {
		w.keys = append(w.keys, key)
		i = len(w.keys)
		w.index[key] = i
	}
	w.args = append(w.args, cmd, i, len(args))
	w.args = append(w.args, args...)
}

// addAll is add with the arguments cut into calls of at most maxArgs; step keeps pairs together.
func (w *writeList) addAll(cmd, key string, args []any) {
	for part := range slices.Chunk(args, maxArgs) {
		w.add(cmd, key, part...)
	}
}

// writes packs a commit.
func (s *Store) writes(c bot.Commit) *writeList {
	sh := c.Lease.Shard
	w := &writeList{keys: []string{s.keys.state(sh)}, index: map[string]int{s.keys.state(sh): 1}}
	w.args = []any{c.Lease.Node, c.Lease.Epoch, c.Number}
	for _, f := range c.Fires {
		w.add("HSET", s.keys.runs(sh), f.Run.ID, toJSON(f.Run))
		if f.Run.State == bot.RunOpen {
			w.add("SADD", s.keys.open(sh), f.Run.ID)
			if f.Run.Broadcast == "" {
				w.add("HSET", s.keys.slots(sh), f.Slot+":p", f.Run.Due.UnixMilli())
			}
		} else {
			s.ages(w, c, "r"+f.Run.ID)
		}
		if !f.Next.IsZero() {
			w.add("ZADD", s.keys.due(sh), "XX", f.Next.UnixMilli(), f.Slot)
		}
	}
	s.pageWrites(w, c)
	for _, r := range c.Runs {
		s.runWrites(w, c, r)
	}
	for _, u := range c.Slots {
		w.add("HSET", s.keys.slots(sh), u.Slot+":u", u.Upto)
	}
	s.outcomeWrites(w, c)
	if c.Pub > 0 {
		w.add("HSET", s.keys.state(sh), "pub", c.Pub)
	}
	if c.Order > 0 {
		w.add("HSET", s.keys.state(sh), "order", c.Order)
	}
	if c.Stir {
		w.add("HINCRBY", s.keys.state(sh), "ctl", 1)
	}
	s.agedWrites(w, c)
	w.index = nil
	return w
}

// runWrites keeps the state of a run; one of a slot that had nothing for anybody leaves no trace.
func (s *Store) runWrites(w *writeList, c bot.Commit, r bot.Run) {
	sh := c.Lease.Shard
	switch {
	case r.State == bot.RunOpen:
		w.add("HSET", s.keys.runs(sh), r.ID, toJSON(r))
		return
	case r.State == bot.RunDone && r.Paged == 0 && r.Broadcast == "":
		w.add("HDEL", s.keys.runs(sh), r.ID)
	default:
		w.add("HSET", s.keys.runs(sh), r.ID, toJSON(r))
		s.ages(w, c, "r"+r.ID)
	}
	w.add("SREM", s.keys.open(sh), r.ID)
}

func (s *Store) pageWrites(w *writeList, c bot.Commit) {
	sh := c.Lease.Shard
	for _, p := range c.Pages {
		w.add("SET", s.keys.page(sh, p.Number), packPage(p))
		w.add("SADD", s.keys.todo(sh), p.Number)
		w.add("HSET", s.keys.state(sh), "page", p.Number)
	}
	if len(c.Pages) > 0 {
		w.add("HSETNX", s.keys.days(sh), day(time.Now()), c.Pages[0].Number)
	}
}

func (s *Store) outcomeWrites(w *writeList, c bot.Commit) {
	sh := c.Lease.Shard
	for _, l := range ledgersOf(c.Outcomes) {
		w.addAll("HSET", s.keys.ledger(sh, l.page), l.open)
		if len(l.over) > 0 {
			w.add("APPEND", s.keys.over(sh, l.page), l.chunk())
		}
	}
	for _, lane := range slices.Sorted(maps.Keys(c.Flights)) {
		w.add("HSET", s.keys.fly(sh), lane, packFlights(c.Flights[lane]))
	}
	for _, page := range c.Finished {
		w.add("SREM", s.keys.todo(sh), page)
		w.add("UNLINK", s.keys.ledger(sh, page)) // all of it is over
		w.add("FIT", s.keys.over(sh, page))
	}
	for _, d := range c.Debts {
		if d.Paid {
			w.add("HDEL", s.keys.owed(sh), packMember(d.Member))
		} else {
			w.add("HSET", s.keys.owed(sh), packMember(d.Member), packOwed(d.Owed))
		}
	}
	for _, a := range c.Ailments {
		if a.Well {
			w.add("HDEL", s.keys.ill(sh), string(a.Channel[:]))
		} else {
			w.add("HSET", s.keys.ill(sh), string(a.Channel[:]), toJSON(a.Ailment))
		}
	}
	for _, l := range c.Letters {
		w.add("HSET", s.keys.letters(sh), l.ID, toJSON(l))
		s.ages(w, c, "d"+l.ID)
	}
	for _, id := range c.Dropped {
		w.add("HDEL", s.keys.letters(sh), id)
	}
	for reached, n := range c.Counts {
		w.add("HINCRBY", s.keys.counts(sh), reached.Run+" "+string(reached.State), n)
	}
}

// toJSON encodes one of our own records: strings, numbers and times, which cannot fail.
func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(errors.Join(errors.New("encode a record"), err))
	}
	return string(b)
}

// packOwed writes "<from>[f][x<times>]".
func packOwed(o bot.Owed) string {
	s := strconv.FormatInt(o.From, 10) + map[bool]string{true: "f"}[o.First]
	if o.Times > 0 {
		s += "x" + strconv.Itoa(o.Times)
	}
	return s
}

func unpackOwed(s string) *bot.Owed {
	if s == "" {
		return nil
	}
	s, times, _ := strings.Cut(s, "x")
	s, first := strings.CutSuffix(s, "f")
	return &bot.Owed{From: number(s), First: first, Times: int(number(times))}
}
