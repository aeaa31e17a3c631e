package redisstore

import (
	"encoding/hex"
	"fmt"
	"time"

	"weeklybot/bot"
)

// stateBytes number the delivery states in packed ledger entries; never renumber.
var stateBytes = []bot.DeliveryState{
	bot.Queued, bot.Sending, bot.Uncertain, bot.Held, bot.Sent, bot.Dead, bot.Missed, bot.Skipped, bot.Cancelled, bot.Recalled,
}

// maxCodeBytes bounds a platform's code in the ledger: an entry stays within the 64 bytes that keep a ledger compact in Redis.
const maxCodeBytes = 24

// A page has two ledgers. Its hash led holds where each delivery stands that goes on, and is thrown away when none does. Its string over holds
// the last states: a commit appends one chunk for all that ended since the one before, because a write of its own for each delivery would be
// most of what Redis does. A chunk is the time that its entries count from and their length in bytes; an entry is its length, the delivery's
// index in the page, and the packed outcome. The last entry of an index counts.
type pageLedger struct {
	page  int64
	since int64  // unix seconds
	over  packer // entries
	open  []any  // fields and values
}

// ledgersOf sorts outcomes by page.
func ledgersOf(outcomes []bot.Outcome) []*pageLedger {
	var ledgers []*pageLedger
	of := map[int64]*pageLedger{}
	for _, o := range outcomes {
		l := of[o.Place.Page]
		if l == nil {
			l = &pageLedger{page: o.Place.Page, since: o.At.Unix()}
			of[l.page] = l
			ledgers = append(ledgers, l)
		}
		l.add(o)
	}
	return ledgers
}

func (l *pageLedger) add(o bot.Outcome) {
	if !o.State.Over() {
		l.open = append(l.open, o.Place.Index, []byte(packOutcome(nil, o, 0)))
		return
	}
	var room [64]byte
	entry := packer(room[:0])
	entry.uint(uint64(o.Place.Index))
	entry = packOutcome(entry, o, l.since)
	l.over.uint(uint64(len(entry)))
	l.over.raw(entry)
}

func (l *pageLedger) chunk() []byte {
	p := packer{}
	p.uint(uint64(l.since))
	p.uint(uint64(len(l.over)))
	p.raw(l.over)
	return p
}

// readOver reads the last states of a page into ledger. A damaged chunk and those after it are left out.
func readOver(page int64, b string, ledger map[bot.Place]bot.Outcome) error {
	u := &unpacker{rest: b}
	for u.err == nil && len(u.rest) > 0 {
		since, entries := int64(u.uint()), &unpacker{}
		entries.rest = u.raw(u.count())
		for u.err == nil && entries.err == nil && len(entries.rest) > 0 {
			entry := &unpacker{}
			entry.rest = entries.raw(entries.count())
			place := bot.Place{Page: page, Index: int(entry.uint())}
			o, err := unpackOutcome(place, entry.rest, since)
			if err != nil {
				return err
			}
			ledger[place] = o
		}
		if entries.err != nil {
			u.fail()
		}
	}
	if err := u.done(); err != nil {
		return fmt.Errorf("last states of page %d: %w", page, err)
	}
	return nil
}

// packOutcome appends an outcome to p. Its time counts from since, in unix seconds.
func packOutcome(p packer, o bot.Outcome, since int64) packer {
	for i, s := range stateBytes {
		if s == o.State {
			p.byte(byte(i))
		}
	}
	p.uint(uint64(max(0, o.At.Unix()-since)))
	p.uint(uint64(o.Attempts))
	p.uint(uint64(o.Parts))
	p.string(o.Code[:min(len(o.Code), maxCodeBytes)])
	p.string(string(o.First))
	wait := o.NotBefore.Unix() - o.At.Unix()
	if o.NotBefore.IsZero() {
		wait = 0
	}
	p.uint(uint64(max(0, wait)))
	cut, _ := hex.DecodeString(o.Cut)
	p.string(string(cut))
	for _, r := range o.Rest {
		p.string(string(r))
	}
	return p
}

func unpackOutcome(place bot.Place, b string, since int64) (bot.Outcome, error) {
	u := &unpacker{rest: b}
	o := bot.Outcome{Place: place, State: code(u, stateBytes)}
	o.At = time.Unix(since+int64(u.uint()), 0)
	o.Attempts, o.Parts, o.Code, o.First = int(u.uint()), int(u.uint()), u.string(), bot.Receipt(u.string())
	if wait := u.uint(); wait > 0 {
		o.NotBefore = o.At.Add(time.Duration(wait) * time.Second)
	}
	o.Cut = hex.EncodeToString([]byte(u.string()))
	for u.err == nil && len(u.rest) > 0 {
		o.Rest = append(o.Rest, bot.Receipt(u.string()))
	}
	if err := u.done(); err != nil {
		return o, fmt.Errorf("ledger entry %s: %w", place, err)
	}
	return o, nil
}

func packFlights(flights []bot.Flight) []byte {
	p := packer{}
	p.uint(uint64(len(flights)))
	for _, f := range flights {
		p.uint(uint64(f.Place.Page))
		p.uint(uint64(f.Place.Index))
		p.uint(uint64(f.Part))
		p.uint(uint64(f.At.UnixMilli()))
	}
	return p
}

func unpackFlights(b string) ([]bot.Flight, error) {
	u := &unpacker{rest: b}
	var flights []bot.Flight
	for range u.count() {
		f := bot.Flight{Place: bot.Place{Page: int64(u.uint()), Index: int(u.uint())}, Part: int(u.uint())}
		f.At = time.UnixMilli(int64(u.uint()))
		flights = append(flights, f)
	}
	return flights, u.done()
}
