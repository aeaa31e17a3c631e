package outbox

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"weeklybot/bot"
)

// cut is a digest as one kind of channel gets it: its parts, in order. It is shared and never changed.
type cut struct {
	parts []bot.Message
	hash  string // where the parts are stored; "" for a single part
}

// maxCuts is how many cuts a node keeps in memory.
const maxCuts = 512

// cuts composes recipes and cuts the messages into parts, once for all deliveries that share them. Safe for concurrent use.
type cuts struct {
	cfg   Config
	mu    sync.Mutex
	byKey map[string]*list.Element
	order *list.List // newest use first
}

type cutEntry struct {
	key  string
	once sync.Mutex // held while the cut is made
	cut  *cut
	made bool
	kept time.Time // until when the stored parts live
}

func newCuts(cfg Config) *cuts {
	return &cuts{cfg: cfg, byKey: map[string]*list.Element{}, order: list.New()}
}

// of gives the cut of a recipe for one kind of channel; nil when there is nothing to say, errNoParts when the adapter makes nothing of it. The parts of a digest that needs several are
// stored before it is returned, and live until the delivery window ends, and Keep longer.
func (c *cuts) of(ctx context.Context, a bot.Adapter, kind bot.Kind, r *bot.Recipe, end time.Time) (*cut, error) {
	if len(r.Recall) > 0 {
		return &cut{parts: make([]bot.Message, len(r.Recall))}, nil
	}
	recipe, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	en := c.entry(a.Name() + "\n" + string(kind) + "\n" + string(recipe))
	en.once.Lock()
	defer en.once.Unlock()
	until := end.Add(c.cfg.Keep)
	if en.made && (en.cut == nil || en.cut.hash == "" || !en.kept.Before(until)) {
		return en.cut, nil
	}
	if !en.made {
		msg, items, err := c.message(ctx, *r)
		if err != nil {
			return nil, err
		}
		if items > 0 {
			parts, err := split(a, kind, msg)
			if err != nil {
				return nil, err
			}
			en.cut = &cut{parts: parts}
		}
	}
	if en.cut != nil && len(en.cut.parts) > 1 {
		hash, err := c.cfg.Queue.KeepParts(ctx, en.cut.parts, time.Until(until)+time.Hour)
		if err != nil {
			return nil, err
		}
		en.cut, en.kept = &cut{parts: en.cut.parts, hash: hash}, until // anew: deliveries hold the one before
	}
	en.made = true
	return en.cut, nil
}

// keepAgain stores the parts of all cuts in memory once more: the store has lost what it had acknowledged.
func (c *cuts) keepAgain(ctx context.Context) error {
	c.mu.Lock()
	entries := slices.Collect(maps.Values(c.byKey))
	c.mu.Unlock()
	for _, el := range entries {
		if err := el.Value.(*cutEntry).keepAgain(ctx, c.cfg.Queue); err != nil {
			return err
		}
	}
	return nil
}

func (en *cutEntry) keepAgain(ctx context.Context, q Queue) error {
	en.once.Lock()
	defer en.once.Unlock()
	if en.cut == nil || en.cut.hash == "" {
		return nil
	}
	_, err := q.KeepParts(ctx, en.cut.parts, time.Until(en.kept)+time.Hour)
	return err
}

const codeNoParts = "no_parts"

// errNoParts is the fault of an adapter; asked again, it would do the same.
var errNoParts = errors.New("the adapter cut a message into no parts")

// split has an adapter cut a message that says something: into one part at least.
func split(a bot.Adapter, kind bot.Kind, msg bot.Message) ([]bot.Message, error) {
	parts := a.Split(kind, msg)
	if len(parts) == 0 {
		return nil, errNoParts
	}
	return parts, nil
}

// message is what a recipe says: a digest, or a broadcast as it was approved.
func (c *cuts) message(ctx context.Context, r bot.Recipe) (msg bot.Message, items int, err error) {
	if r.Broadcast == "" {
		return c.cfg.Composer.Compose(ctx, r)
	}
	msg, err = c.cfg.Queue.Body(ctx, r.Broadcast)
	return msg, 1, err
}

func (c *cuts) entry(key string) *cutEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.byKey[key]; el != nil {
		c.order.MoveToFront(el)
		return el.Value.(*cutEntry)
	}
	en := &cutEntry{key: key}
	c.byKey[key] = c.order.PushFront(en)
	if c.order.Len() > maxCuts {
		old := c.order.Back()
		c.order.Remove(old)
		delete(c.byKey, old.Value.(*cutEntry).key)
	}
	return en
}

// stored gives the cut that an earlier owner began to send.
func (c *cuts) stored(ctx context.Context, hash string) (*cut, error) {
	parts, err := c.cfg.Queue.Parts(ctx, hash)
	if err != nil {
		return nil, err
	}
	return &cut{parts: parts, hash: hash}, nil
}
