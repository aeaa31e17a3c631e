package notice

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/bot"
)

const (
	// maxTogether is how many notices one round tells, those of one recipient in one message: many troubles at once make few messages.
	maxTogether = 20
	postTime    = 15 * time.Second // of one post
	maxBackoff  = time.Hour
)

// tell claims notices and tells each of their recipients. A crash between a post and the note of it tells the same again when the claim is over;
// none is lost.
func (t *Teller) tell(ctx context.Context) {
	began := time.Now()
	ctx, cancel := context.WithDeadline(ctx, began.Add(t.cfg.Lease*3/4)) // what is still to be done then is done by the next round
	defer cancel()
	mine := t.claim(ctx, began)
	letters := map[string][]int{} // recipient → what it is told: indices of mine
	for i, n := range mine {
		mine[i].To = t.recipients(n)
		for _, to := range mine[i].To {
			letters[to] = append(letters[to], i)
		}
	}
	left := make([][]string, len(mine)) // who is still to be told
	for to, list := range letters {
		for _, still := range t.post(ctx, to, pick(mine, list)) {
			for _, i := range list {
				left[i] = append(left[i], still)
			}
		}
	}
	for i, n := range mine {
		n.To = left[i]
		t.note(ctx, n)
	}
}

func pick(from []bot.Notice, list []int) (picked []bot.Notice) {
	for _, i := range list {
		picked = append(picked, from[i])
	}
	return picked
}

// claim takes the notices that are to be told now, so that no other replica tells them for as long as the lease lasts.
func (t *Teller) claim(ctx context.Context, now time.Time) (mine []bot.Notice) {
	open, err := t.cfg.Store.Notices(ctx)
	if err != nil {
		t.cfg.Log.Warn("could not read notices; trying again", "err", err)
		return nil
	}
	for _, n := range open {
		if n.NotBefore.After(now) || len(mine) == maxTogether {
			continue
		}
		n.NotBefore, n.Claim = now.Add(t.cfg.Lease), strconv.FormatUint(rand.Uint64(), 36)
		n.Tries++
		n, ok, err := t.cfg.Store.ChangeNotice(ctx, n)
		if err != nil {
			t.cfg.Log.Warn("could not claim a notice; trying again", "err", err)
			return mine
		}
		if ok {
			mine = append(mine, n)
		}
	}
	return mine
}

// recipients are the people to tell: in the place of somebody who cannot be spoken to, the administrators.
func (t *Teller) recipients(n bot.Notice) (people []string) {
	add := func(p string) {
		if !slices.Contains(people, p) {
			people = append(people, p)
		}
	}
	admins := t.cfg.Admins()
	for _, to := range n.To {
		if _, _, ok := t.direct(to); ok {
			add(to)
			continue
		}
		for _, admin := range admins {
			if _, _, ok := t.direct(admin); ok {
				add(admin)
			}
		}
	}
	if len(people) == 0 {
		t.cfg.Log.Warn("nobody can be told of this in a chat: name administrators in admins", "notice", n.En)
	}
	return people
}

// direct finds the way to a person: "slack:T1/U1", or "terminal".
func (t *Teller) direct(person string) (bot.Adapter, bot.Channel, bool) {
	name, rest, _ := strings.Cut(person, ":")
	slash := strings.LastIndexByte(rest, '/')
	a := t.adapters[name]
	m, ok := a.(bot.Messenger)
	if !ok {
		return nil, bot.Channel{}, false
	}
	ch, ok := m.Direct(rest[:max(slash, 0)], rest[slash+1:])
	return a, ch, ok
}

// post tells one person of some notices, in one message, and returns who is still to be told of them: nobody, the same, or in the place of an
// owner who cannot be reached the administrators.
func (t *Teller) post(ctx context.Context, to string, list []bot.Notice) (still []string) {
	a, dst, _ := t.direct(to)
	var ids []string
	for _, n := range list {
		ids = append(ids, n.ID)
	}
	p := bot.Post{Key: bot.DeliveryKey(to + "/" + strings.Join(ids, ","))}
	parts := a.Split(dst.Kind, message(list, cmp.Or(list[0].Lang, t.cfg.Lang)))
	p.Parts = len(parts)
	for i, part := range parts {
		p.Part, p.Message = i+1, part
		receipt, err := t.send(ctx, a, dst, p)
		if err != nil {
			t.cfg.Log.Warn("a notice was not told", "adapter", dst.Adapter, "workspace", dst.Workspace, "err", err)
			fault, ok := errors.AsType[*bot.SendError](err)
			switch {
			case !ok || fault.Fault != bot.Permanent:
				return []string{to}
			case slices.Contains(t.cfg.Admins(), to):
				return nil
			}
			return []string{bot.ToAdmins}
		}
		if i == 0 {
			p.First = receipt
		}
	}
	return nil
}

func (t *Teller) send(ctx context.Context, a bot.Adapter, dst bot.Channel, p bot.Post) (bot.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	return a.Send(ctx, dst, p)
}

// message is what a person reads.
func message(list []bot.Notice, lang string) bot.Message {
	msg := bot.Message{Title: "周报机器人需要您留意", Lang: lang}
	if lang == "en" {
		msg.Title = "The newsletter bot needs your attention"
	}
	for _, n := range list {
		msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockText, Text: n.Text(lang)})
	}
	return msg
}

// note writes down who is still to be told, and when. After a day nobody is.
func (t *Teller) note(ctx context.Context, n bot.Notice) {
	if len(n.To) > 0 && time.Since(n.At) > t.cfg.GiveUp {
		t.cfg.Log.Error("people could not be told of this in a chat", "notice", n.En, "attempt", n.Tries)
		n.To = nil
	}
	n.NotBefore = time.Now().Add(min(t.cfg.Backoff<<min(n.Tries-1, 16), maxBackoff))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
	defer cancel()
	if _, _, err := t.cfg.Store.ChangeNotice(ctx, n); err != nil {
		t.cfg.Log.Warn("could not note that a notice was told; it may come twice", "err", err)
	}
}
