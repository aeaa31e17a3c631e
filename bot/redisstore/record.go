package redisstore

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"weeklybot/bot"
)

// recordVersion is the first byte of a packed channel record.
const recordVersion = 2

// firstVersion is the oldest that is still read; it has no exceptions.
const firstVersion = 1

// record is what the store keeps of one channel: where it is and what it subscribed to. Webhook URLs and keys are not in it; they stay in
// the configuration that declares the channel.
type record struct {
	channel bot.Channel
	last    int // highest ordinal ever given
	subs    []bot.Subscription
}

var (
	styleCodes = []bot.Style{bot.StyleBrief, bot.StyleHeadlines, bot.StyleFull}
	stateCodes = []bot.State{bot.StateActive, bot.StatePaused, bot.StateProbation, bot.StateHeld}
)

func (r *record) pack() []byte {
	p := packer{recordVersion}
	for _, s := range []string{r.channel.Adapter, string(r.channel.Kind), r.channel.Workspace, r.channel.Address, r.channel.Name} {
		p.string(s)
	}
	p.uint(uint64(r.last))
	p.uint(uint64(len(r.subs)))
	for _, s := range r.subs {
		p.uint(uint64(s.ID.Ordinal))
		p.strings(s.Series)
		p.strings(s.Topics)
		if s.Schedule.OnPublish {
			p.string("")
		} else {
			p.string(s.Schedule.Cron)
		}
		p.string(s.Schedule.Zone)
		p.byte(byte(max(0, slices.Index(styleCodes, s.Style))))
		p.byte(byte(max(0, slices.Index(stateCodes, s.State))))
		p.string(s.Lang)
		p.uint(uint64(max(0, s.MaxItems)))
		p.string(s.By)
		p.uint(uint64(max(0, s.Since)))
		p.uint(uint64(max(0, s.SinceAt.UnixMilli())))
		p.string(s.Except.Quiet)
		p.string(s.Except.Holidays)
	}
	return p
}

// unpackRecord reads the record of a channel. Its texts share the memory of b.
func unpackRecord(id bot.ChannelID, b string) (*record, error) {
	r := &record{}
	return r, r.unpack(id, b)
}

// unpack is unpackRecord into a record that was used before; what was read into it is overwritten.
func (r *record) unpack(id bot.ChannelID, b string) error {
	u := &unpacker{rest: b}
	version := u.byte()
	if u.err == nil && version != recordVersion && version != firstVersion {
		return fmt.Errorf("channel record of version %d, this program knows %d: %w", version, recordVersion, errDamaged)
	}
	r.channel = bot.Channel{Adapter: u.string(), Kind: bot.Kind(u.string()), Workspace: u.string(), Address: u.string(), Name: u.string()}
	r.last = int(u.uint())
	n := u.count()
	r.subs = slices.Grow(r.subs[:0], min(n, maxSubscriptions))
	for range n {
		s := bot.Subscription{ID: bot.SubscriptionID{Channel: id, Ordinal: int(u.uint())}, Series: u.strings(), Topics: u.strings()}
		cron := u.string()
		s.Schedule = bot.Schedule{Cron: cron, OnPublish: cron == "", Zone: u.string()}
		s.Style, s.State = code(u, styleCodes), code(u, stateCodes)
		s.Lang, s.MaxItems, s.By, s.Since = u.string(), int(u.uint()), u.string(), int64(u.uint())
		s.SinceAt = time.UnixMilli(int64(u.uint())).UTC()
		if version > firstVersion {
			s.Except = bot.Except{Quiet: u.string(), Holidays: u.string()}
		}
		r.subs = append(r.subs, s)
	}
	return u.done()
}

// code reads one byte that names an element of codes.
func code[T any](u *unpacker, codes []T) (v T) {
	n := int(u.byte())
	if n >= len(codes) {
		u.fail()
		return v
	}
	return codes[n]
}

func (r *record) find(ordinal int) int {
	for i := range r.subs {
		if r.subs[i].ID.Ordinal == ordinal {
			return i
		}
	}
	return -1
}

// memberSize is the length of a packed slot member: channel ID and ordinal.
const memberSize = 10

func (p *packer) member(m bot.SlotMember) {
	p.raw(m.Channel[:])
	p.byte(byte(m.Ordinal >> 8))
	p.byte(byte(m.Ordinal))
}

func packMember(m bot.SlotMember) string {
	p := make(packer, 0, memberSize)
	p.member(m)
	return string(p)
}

func unpackMember(s string) (bot.SlotMember, error) {
	if len(s) != memberSize {
		return bot.SlotMember{}, fmt.Errorf("slot member of %d bytes: %w", len(s), errDamaged)
	}
	return bot.SlotMember{Channel: bot.ChannelID([]byte(s[:8])), Ordinal: int(s[8])<<8 | int(s[9])}, nil
}

// slotJoin is one place of a subscription in a slot.
type slotJoin struct {
	slot       string
	definition string // cron TAB zone, "" for on publish
}

// slotsOf lists the slots a subscription stands in: one for a cron schedule, one per series on publish. A paused subscription stays in its
// slots and is skipped there.
func (s *Store) slotsOf(sub bot.Subscription) []slotJoin {
	if !sub.Schedule.OnPublish {
		return []slotJoin{{s.opt.SlotID(sub.Schedule), sub.Schedule.Cron + "\t" + sub.Schedule.Zone}}
	}
	if len(sub.Series) == 0 {
		return []slotJoin{{bot.PublishSlot(""), ""}}
	}
	var joins []slotJoin
	for _, series := range sub.Series {
		joins = append(joins, slotJoin{bot.PublishSlot(series), ""})
	}
	slices.SortFunc(joins, func(a, b slotJoin) int { return cmp.Compare(a.slot, b.slot) })
	return slices.Compact(joins)
}
