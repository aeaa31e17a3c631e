package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

const (
	// maxVotes is how many votes are kept, the newest; about 150 bytes each.
	maxVotes = 100_000
	// maxVoteItem is the longest name of an item that can be voted on, in bytes.
	maxVoteItem = 300
)

// Vote notes what a member thinks of an item: 1 useful, -1 not, 0 takes it back. The newest of a member counts; the same again changes nothing.
// Of the member only a hash is kept.
func (s *Store) Vote(ctx context.Context, item, member string, vote int) error {
	if item == "" || len(item) > maxVoteItem || vote < -1 || vote > 1 {
		return errors.New("a vote names an item and is 1, -1 or 0")
	}
	who := sha256.Sum256([]byte(member))
	return s.vote(ctx, item, hex.EncodeToString(who[:8]), vote)
}

// vote is by the hash of a member.
func (s *Store) vote(ctx context.Context, item, who string, vote int) error {
	keys := []string{s.keys.votes(), s.keys.voteAges(), s.keys.voteSums(), s.keys.voteRev()}
	if err := voteScript.Run(ctx, s.rdb, keys, item, who, vote, s.maxVotes).Err(); err != nil {
		return fmt.Errorf("note a vote: %w", err)
	}
	return nil
}

// Votes are the net votes of each item that has any. sums is nil if they are still those of revision known; begin with -1.
func (s *Store) Votes(ctx context.Context, known int64) (sums map[string]int, rev int64, err error) {
	rev, err = s.rdb.Get(ctx, s.keys.voteRev()).Int64()
	if errors.Is(err, redis.Nil) {
		rev, err = 0, nil
	}
	if err != nil || rev == known {
		return nil, rev, err
	}
	all, err := s.rdb.HGetAll(ctx, s.keys.voteSums()).Result()
	if err != nil {
		return nil, known, err
	}
	sums = make(map[string]int, len(all))
	for item, text := range all {
		if n, err := strconv.Atoi(text); err == nil {
			sums[item] = n
		}
	}
	return sums, rev, nil
}

// voteLine is a vote in an export.
type voteLine struct {
	Item string `json:"item"`
	Who  string `json:"who"` // the member's hash
	Vote int    `json:"vote"`
}

// exportVotes writes the votes, the oldest first: the newest are kept wherever they are imported.
func (s *Store) exportVotes(ctx context.Context, enc *json.Encoder) error {
	fields, err := s.rdb.ZRange(ctx, s.keys.voteAges(), 0, -1).Result()
	if err != nil {
		return err
	}
	votes, err := s.rdb.HGetAll(ctx, s.keys.votes()).Result()
	if err != nil {
		return err
	}
	for _, field := range fields {
		at := strings.LastIndexByte(field, ' ')
		vote, err := strconv.Atoi(votes[field])
		if at < 0 || err != nil {
			continue // taken back meanwhile
		}
		if err := enc.Encode(line{Type: "vote", Vote: &voteLine{Item: field[:at], Who: field[at+1:], Vote: vote}}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) importVote(ctx context.Context, l voteLine) error {
	if who, err := hex.DecodeString(l.Who); err != nil || len(who) != 8 || l.Item == "" || len(l.Item) > maxVoteItem || l.Vote != 1 && l.Vote != -1 {
		return fmt.Errorf("%w: a vote without item, member or mark", errDamaged)
	}
	return s.vote(ctx, l.Item, l.Who, l.Vote)
}
