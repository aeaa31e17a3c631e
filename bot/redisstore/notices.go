package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/bot"
)

// Notices stand in one small hash. Of one that everybody was told, only the time stays, so that it is not told again.

const (
	// maxNotices is how many notices are kept, told or not: 2,000 that are told take about 150 KB.
	maxNotices = 2000
	// toldMark begins the record of a notice that everybody was told; unix ms follow.
	toldMark = "+"
)

// AddNotice keeps a notice to be told. first is false when it was raised before, also if it has been told since. Beyond maxNotices those told
// longest ago are forgotten; one that waits never is: a new one is refused with
// bot.ErrNoticesFull.
func (s *Store) AddNotice(ctx context.Context, n bot.Notice) (first bool, err error) {
	count, err := s.rdb.HLen(ctx, s.keys.notices()).Result()
	if err == nil && count >= s.maxNotices {
		err = s.forgetTold(ctx, n.ID)
	}
	if err == nil {
		first, err = s.rdb.HSetNX(ctx, s.keys.notices(), n.ID, toJSON(n)).Result()
	}
	if err != nil {
		return false, fmt.Errorf("keep notice %s: %w", n.ID, err)
	}
	return first, nil
}

// forgetTold makes room for one more, and for a tenth more than that. The notice keep is not forgotten: it is raised again now.
func (s *Store) forgetTold(ctx context.Context, keep string) error {
	all, err := s.rdb.HGetAll(ctx, s.keys.notices()).Result()
	if _, known := all[keep]; err != nil || known {
		return err
	}
	type old struct {
		id string
		ms int64
	}
	var told []old
	for id, body := range all {
		if ms, ok := strings.CutPrefix(body, toldMark); ok {
			told = append(told, old{id, number(ms)})
		}
	}
	if len(told) == 0 {
		return bot.ErrNoticesFull
	}
	slices.SortFunc(told, func(a, b old) int { return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.id, b.id)) })
	var gone []string
	for _, o := range told[:min(len(told), 1+int(s.maxNotices)/10)] {
		gone = append(gone, o.id)
	}
	return s.rdb.HDel(ctx, s.keys.notices(), gone...).Err()
}

// Notices are those that somebody is still to be told, oldest first.
func (s *Store) Notices(ctx context.Context) (list []bot.Notice, err error) {
	all, err := s.allNotices(ctx)
	return slices.DeleteFunc(all, func(n bot.Notice) bool { return len(n.To) == 0 }), err
}

// allNotices are all that are known, oldest first: of one that was told, its ID and when.
func (s *Store) allNotices(ctx context.Context) (list []bot.Notice, err error) {
	all, err := s.rdb.HGetAll(ctx, s.keys.notices()).Result()
	if err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	for id, body := range all {
		n := bot.Notice{ID: id}
		if ms, told := strings.CutPrefix(body, toldMark); told {
			n.At = time.UnixMilli(number(ms)).UTC()
		} else if json.Unmarshal([]byte(body), &n) != nil {
			continue
		}
		n.Stored = body
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b bot.Notice) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return list, nil
}

// exportNotices writes the notices, told or not: where they are imported, nobody is told twice.
func (s *Store) exportNotices(ctx context.Context, enc *json.Encoder) error {
	list, err := s.allNotices(ctx)
	for _, n := range list {
		n.NotBefore, n.Claim = time.Time{}, "" // who claimed it works on another store
		if err := enc.Encode(line{Type: "notice", Notice: &n}); err != nil {
			return err
		}
	}
	return err
}

func (s *Store) importNotice(ctx context.Context, n bot.Notice) error {
	body := toJSON(n)
	if len(n.To) == 0 {
		body = told(n.At)
	}
	return s.rdb.HSet(ctx, s.keys.notices(), n.ID, body).Err()
}

// told is the record of a notice that everybody was told.
func told(at time.Time) string { return toldMark + strconv.FormatInt(at.UnixMilli(), 10) }

// ChangeNotice writes a notice that Notices gave, or that a call before has returned. ok is false when somebody else has changed it since. One
// without recipients counts as told.
func (s *Store) ChangeNotice(ctx context.Context, n bot.Notice) (changed bot.Notice, ok bool, err error) {
	body := toJSON(n)
	if len(n.To) == 0 {
		now, err := s.Now(ctx)
		if err != nil {
			return n, false, fmt.Errorf("change notice %s: %w", n.ID, err)
		}
		body = told(now)
	}
	ok, err = noticeScript.Run(ctx, s.rdb, []string{s.keys.notices()}, n.ID, n.Stored, body).Bool()
	if err != nil {
		return n, false, fmt.Errorf("change notice %s: %w", n.ID, err)
	}
	n.Stored = body
	return n, ok, nil
}
