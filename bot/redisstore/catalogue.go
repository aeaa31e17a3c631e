package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/bot"
)

// Publish gives numbers to what a source holds and the catalogue does not know yet: new issues, and items added to growing pages. The
// first load of a source, and issues older than bot.NewWithin, are archive only. It returns what was numbered. Several nodes may call it
// at once: each issue gets one number.
func (s *Store) Publish(ctx context.Context, source string, issues []bot.Sighting) ([]bot.Entry, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return nil, err
	}
	loaded, err := s.rdb.SIsMember(ctx, s.keys.loaded(), source).Result()
	if err != nil {
		return nil, fmt.Errorf("read the catalogue: %w", err)
	}
	var published []bot.Entry
	for part := range slices.Chunk(issues, 100) {
		entries, err := s.publish(ctx, part, now, !loaded)
		if err != nil {
			return published, fmt.Errorf("write the catalogue: %w", err)
		}
		published = append(published, entries...)
	}
	return published, s.rdb.SAdd(ctx, s.keys.loaded(), source).Err()
}

func (s *Store) publish(ctx context.Context, issues []bot.Sighting, now time.Time, first bool) ([]bot.Entry, error) {
	var fields []string
	for _, i := range issues {
		fields = append(fields, i.Key)
	}
	known, err := s.rdb.HMGet(ctx, s.keys.seen(), fields...).Result()
	if err != nil {
		return nil, err
	}
	var args []any
	var entries []bot.Entry
	for i, seen := range issues {
		if seen.Empty {
			continue // numbered when it has items
		}
		before := text(known[i])
		e := bot.Entry{Key: seen.Key, Series: seen.Series, SeenMs: now.UnixMilli()}
		after := "1"
		if seen.Items != nil {
			old := strings.Fields(before)
			e.Items = slices.DeleteFunc(slices.Clone(seen.Items), func(id string) bool { return slices.Contains(old, id) })
			after = strings.Join(append(old, e.Items...), " ")
		}
		if before != "" && len(e.Items) == 0 {
			continue
		}
		e.Back = first || seen.Old(now)
		if before == "" {
			e.Items = nil // the whole page
		}
		entries = append(entries, e)
		args = append(args, seen.Key, before, after, toJSON(e))
	}
	if len(entries) == 0 {
		return nil, nil
	}
	given, err := publishScript.Run(ctx, s.rdb, []string{s.keys.head(), s.keys.log(), s.keys.seen()}, args...).Int64Slice()
	if err != nil {
		return nil, err
	}
	var published []bot.Entry
	for i, seq := range given {
		if seq > 0 && i < len(entries) {
			entries[i].Seq = seq
			published = append(published, entries[i])
		}
	}
	return published, nil
}

// Entries reads catalogue entries from < seq ≤ upto, ascending.
func (s *Store) Entries(ctx context.Context, from, upto int64) ([]bot.Entry, error) {
	var entries []bot.Entry
	for lo := max(0, from); lo < upto; lo += chunk {
		var fields []string
		for seq := lo + 1; seq <= min(upto, lo+chunk); seq++ {
			fields = append(fields, strconv.FormatInt(seq, 10))
		}
		values, err := s.rdb.HMGet(ctx, s.keys.log(), fields...).Result()
		if err != nil {
			return nil, fmt.Errorf("read the catalogue: %w", err)
		}
		for i, v := range values {
			var e bot.Entry
			if v == nil || json.Unmarshal([]byte(text(v)), &e) != nil {
				continue // a damaged entry announces nothing; its issue stays in the archive
			}
			e.Seq = lo + 1 + int64(i)
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// EntriesFor reads the catalogue entries that a recipe is composed from: those in it, or all there are when it is a first digest.
func (s *Store) EntriesFor(ctx context.Context, r bot.Recipe) ([]bot.Entry, error) {
	if !r.First {
		return s.Entries(ctx, r.From, r.Upto)
	}
	head, err := s.Head(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := s.Entries(ctx, 0, max(head, r.Upto))
	if entries == nil {
		entries = []bot.Entry{} // an empty catalogue, not an unknown one
	}
	return entries, err
}

// Head is the last number of the catalogue.
func (s *Store) Head(ctx context.Context) (int64, error) {
	head, _, err := s.headNow(ctx)
	return head, err
}
