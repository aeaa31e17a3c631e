package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
)

// KeepParts stores the parts of a digest under the hash of their content and keeps them at least for ttl from now. A delivery of several
// parts names the hash in the ledger, so that a resumed one goes on in the same cut.
func (s *Store) KeepParts(ctx context.Context, parts []bot.Message, ttl time.Duration) (hash string, err error) {
	body := toJSON(parts)
	sum := sha256.Sum256([]byte(body))
	hash = hex.EncodeToString(sum[:8])
	if err := s.keep(ctx, s.keys.body(hash), body, ttl); err != nil {
		return "", fmt.Errorf("keep the parts of a digest: %w", err)
	}
	return hash, nil
}

// keep sets a key; with WaitReplicas so many replicas have it then: the ledger, which they have too, will name it.
func (s *Store) keep(ctx context.Context, key, value string, ttl time.Duration) error {
	if s.opt.WaitReplicas == 0 {
		return s.rdb.Set(ctx, key, value, ttl).Err()
	}
	master, err := s.master(ctx, key)
	if err != nil {
		return err
	}
	var wait *redis.Cmd
	if _, err = master.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, key, value, ttl)
		wait = s.askReplicas(ctx, p)
		return nil
	}); err != nil {
		s.masterGone(ctx)
		return err
	}
	return s.replicasHave(wait)
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
