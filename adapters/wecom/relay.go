package wecom

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
)

const (
	// relayWithin is how long a push may be on its way through another replica: that one's wait for WeCom, and a little.
	relayWithin = ackWithin + 5*time.Second
	// relayLife ends the lists of replicas that are gone.
	relayLife = time.Minute
	// relayPoll is how long one look into the lists lasts; so long may Listen take to end.
	relayPoll = time.Second
	// maxAsks is how many pushes may wait for the holder. Each is at most a post of maxBotBytes.
	maxAsks = 512
)

// relay lets a replica push over the connection that another one keeps. The asker leaves the post in a list in Redis; the holder takes
// it, pushes it, and leaves what became of it in the asker's list. Nothing is stored that way: what nobody takes in time is withdrawn,
// and only of a post that was taken and not answered is it unknown whether it was sent.
type relay struct {
	rdb     redis.UniversalClient
	replica string // whose answers
	key     string // of the lease; the lists' keys begin with it
	within  time.Duration

	mu      sync.Mutex
	waiting map[string]chan *bot.SendError // by ask ID; room for one
}

func newRelay(rdb redis.UniversalClient, key string) *relay {
	return &relay{rdb: rdb, replica: rand.Text(), key: key, within: relayWithin, waiting: map[string]chan *bot.SendError{}}
}

func (r *relay) asks() string                { return r.key + ":asks" }
func (r *relay) inbox(replica string) string { return r.key + ":of:" + replica }
func (r *relay) mark(id string) string       { return r.key + ":asked:" + id }
func (r *relay) forget(id string)            { r.mu.Lock(); delete(r.waiting, id); r.mu.Unlock() }
func (r *relay) await(id string) (got chan *bot.SendError) {
	got = make(chan *bot.SendError, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[id] = got
	return got
}

// ask is a push for the holder.
type ask struct {
	ID   string `json:"id"`
	From string `json:"from"` // replica
	Body post   `json:"body"`
}

// told is what became of it; no Code = WeCom took it.
type told struct {
	ID         string        `json:"id"`
	Code       string        `json:"code,omitempty"`
	Fault      bot.Fault     `json:"fault,omitempty"`
	Scope      bot.Scope     `json:"scope,omitempty"`
	Action     bot.Action    `json:"action,omitempty"`
	RetryAfter time.Duration `json:"retry_after,omitempty"`
	MaybeSent  bool          `json:"maybe_sent,omitempty"`
	Err        string        `json:"err,omitempty"`
}

// leaveAsk: KEYS = lease, asks, mark; ARGV = the ask, its life in ms, the most that may wait. 1: it is left there, or was before; 0:
// nobody holds the lease, or too much waits.
var leaveAsk = redis.NewScript(`
if redis.call('EXISTS', KEYS[3]) == 1 then return 1 end
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[3], '', 'PX', ARGV[2])
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1`)

// push lets the holder push body, and waits for what becomes of it. It is safe for concurrent use; answers need serve.
func (r *relay) push(ctx context.Context, body post) *bot.SendError {
	id := rand.Text()
	raw, err := encode(ask{ID: id, From: r.replica, Body: body})
	if err != nil {
		return refuse(bot.ScopeMessage, "encode", err.Error())
	}
	got := r.await(id)
	defer r.forget(id)
	ctx, cancel := context.WithTimeout(ctx, r.within)
	defer cancel()
	if err := bot.Fenced(ctx); err != nil {
		return fenced(err)
	}
	keys := []string{r.key, r.asks(), r.mark(id)}
	left, err := leaveAsk.Run(ctx, r.rdb, keys, raw, relayLife.Milliseconds(), maxAsks).Int()
	if _, refused := errors.AsType[redis.Error](err); refused || err == nil && left == 0 {
		return notTaken(err)
	}
	if err == nil {
		select {
		case fault := <-got:
			return fault
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	return r.withdraw(ctx, string(raw), got, err)
}

// withdraw takes an ask back. What is not there any more was taken: its answer may be here by now, or is lost.
func (r *relay) withdraw(ctx context.Context, raw string, got chan *bot.SendError, why error) *bot.SendError {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisWait)
	defer cancel()
	if n, err := r.rdb.LRem(ctx, r.asks(), 1, raw).Result(); err == nil && n == 1 {
		return notTaken(why)
	}
	select {
	case fault := <-got:
		return fault
	default:
		return unanswered(errors.Join(errors.New("the replica that keeps the AI bot's connection did not say what became of the post"), why))
	}
}

// notTaken is the fault of a push that no replica has begun.
func notTaken(why error) *bot.SendError {
	err := errors.Join(errors.New("no replica with the AI bot's connection took the post"), why)
	return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: codeNoConnection, Err: err}
}

// serve hears answers and, while this replica keeps the connection, asks, until ctx ends.
func (l *line) serve(ctx context.Context, r *relay) {
	var pushes sync.WaitGroup
	defer pushes.Wait()
	for ctx.Err() == nil {
		lists := []string{r.inbox(r.replica)}
		if l.b.answersPushes() {
			lists = append(lists, r.asks())
		}
		got, err := r.rdb.BLPop(ctx, relayPoll, lists...).Result() // list and element
		switch {
		case errors.Is(err, redis.Nil) || ctx.Err() != nil && err != nil:
		case err != nil:
			l.a.deps.Log.Warn("redis brings no pushes of other replicas; trying again", "adapter", Name, "workspace", l.b.workspace(), "err", err)
			sleep(ctx, relayPoll)
		case got[0] == lists[0]:
			r.hear(got[1])
		default:
			l.slots <- struct{}{} // the end of Listen waits for it
			pushes.Go(func() {
				defer func() { <-l.slots }()
				l.pushFor(context.WithoutCancel(ctx), r, got[1])
			})
		}
	}
}

// answersPushes says whether a push would have an outcome now: not while the connection is another's, or is being made.
func (b *aibot) answersPushes() bool {
	live, why := b.connection()
	return live != nil || !errors.Is(why, errElsewhere) && !errors.Is(why, errDialing) && !errors.Is(why, errIdle)
}

// hear gives an answer to whom it belongs to, if that one still waits.
func (r *relay) hear(raw string) {
	var t told
	if json.Unmarshal([]byte(raw), &t) != nil {
		return
	}
	var fault *bot.SendError
	if t.Code != "" {
		fault = &bot.SendError{Fault: t.Fault, Scope: t.Scope, Action: t.Action, Code: t.Code, RetryAfter: t.RetryAfter, MaybeSent: t.MaybeSent, Err: errors.New(t.Err)}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if got, ok := r.waiting[t.ID]; ok {
		delete(r.waiting, t.ID)
		got <- fault
	}
}

// pushFor pushes for another replica and tells it what became of it.
func (l *line) pushFor(ctx context.Context, r *relay, raw string) {
	var q ask
	if json.Unmarshal([]byte(raw), &q) != nil {
		return
	}
	t := told{ID: q.ID}
	if fault := l.b.push(ctx, q.Body); fault != nil {
		t = told{q.ID, fault.Code, fault.Fault, fault.Scope, fault.Action, fault.RetryAfter, fault.MaybeSent, fault.Err.Error()}
	}
	answer, err := encode(t)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	_, err = r.rdb.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.RPush(ctx, r.inbox(q.From), answer)
		tx.PExpire(ctx, r.inbox(q.From), relayLife)
		return nil
	})
	if err != nil {
		l.a.deps.Log.Warn("another replica does not hear what became of its push", "adapter", Name, "workspace", l.b.workspace(), "err", err)
	}
}
