package redisstore

import (
	"context"
	"encoding/json"
	"fmt"

	"weeklybot/bot"
)

// maxAudit is how many notes of changes are kept.
const maxAudit = 10_000

// Note adds to the list of who changed what. It assigns At.
func (s *Store) Note(ctx context.Context, n bot.Note) error {
	now, err := s.Now(ctx)
	if err != nil {
		return err
	}
	n.At = now.UTC()
	pipe := s.rdb.Pipeline()
	pipe.LPush(ctx, s.keys.audit(), toJSON(n))
	pipe.LTrim(ctx, s.keys.audit(), 0, maxAudit-1)
	_, err = pipe.Exec(ctx)
	return err
}

// Notes lists changes, newest first, after the first skip.
func (s *Store) Notes(ctx context.Context, skip, limit int) ([]bot.Note, error) {
	texts, err := s.rdb.LRange(ctx, s.keys.audit(), int64(skip), int64(skip+limit-1)).Result()
	if err != nil {
		return nil, fmt.Errorf("read who changed what: %w", err)
	}
	notes := make([]bot.Note, 0, len(texts))
	for _, text := range texts {
		var n bot.Note
		if json.Unmarshal([]byte(text), &n) == nil {
			notes = append(notes, n)
		}
	}
	return notes, nil
}
