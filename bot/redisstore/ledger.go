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

func packOutcome(o bot.Outcome) []byte {
	p := packer{}
	for i, s := range stateBytes {
		if s == o.State {
			p.byte(byte(i))
		}
	}
	p.uint(uint64(max(0, o.At.Unix())))
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

func unpackOutcome(place bot.Place, b []byte) (bot.Outcome, error) {
	u := &unpacker{rest: b}
	o := bot.Outcome{Place: place, State: code(u, stateBytes)}
	o.At = time.Unix(int64(u.uint()), 0)
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

func unpackFlights(b []byte) ([]bot.Flight, error) {
	u := &unpacker{rest: b}
	var flights []bot.Flight
	for range u.count() {
		f := bot.Flight{Place: bot.Place{Page: int64(u.uint()), Index: int(u.uint())}, Part: int(u.uint())}
		f.At = time.UnixMilli(int64(u.uint()))
		flights = append(flights, f)
	}
	return flights, u.done()
}
