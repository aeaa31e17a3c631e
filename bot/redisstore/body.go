package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"weeklybot/bot"
)

// KeepParts stores the parts of a digest under the hash of their content and keeps them at least for ttl from now. A delivery of several
// parts names the hash in the ledger, so that a resumed one goes on in the same cut.
func (s *Store) KeepParts(ctx context.Context, parts []bot.Message, ttl time.Duration) (hash string, err error) {
	body := toJSON(parts)
	sum := sha256.Sum256([]byte(body))
	hash = hex.EncodeToString(sum[:8])
	if err := s.rdb.Set(ctx, s.keys.body(hash), body, ttl).Err(); err != nil {
		return "", fmt.Errorf("keep the parts of a digest: %w", err)
	}
	return hash, nil
}

// Parts reads what KeepParts stored; bot.ErrNotFound when its time is over.
func (s *Store) Parts(ctx context.Context, hash string) ([]bot.Message, error) {
	body, err := s.rdb.Get(ctx, s.keys.body(hash)).Bytes()
	if none(err) != nil {
		return nil, fmt.Errorf("read the parts of a digest: %w", err)
	}
	if len(body) == 0 {
		return nil, fmt.Errorf("parts %s: %w", hash, bot.ErrNotFound)
	}
	var parts []bot.Message
	if err := json.Unmarshal(body, &parts); err != nil {
		return nil, fmt.Errorf("parts %s: %w", hash, errDamaged)
	}
	return parts, nil
}
