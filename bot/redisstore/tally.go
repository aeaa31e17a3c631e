package redisstore

import (
	"context"
	"fmt"
	"strings"
)

// Tally adds n to what is counted under name in month, and returns the sum. Other months of the name are forgotten: a meter is no archive.
func (s *Store) Tally(ctx context.Context, name, month string, n int64) (int64, error) {
	field := name + "\t" + month
	sum, err := s.rdb.HIncrBy(ctx, s.keys.tally(), field, n).Result()
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", name, err)
	}
	if sum == n { // the first of its month
		fields, err := s.rdb.HKeys(ctx, s.keys.tally()).Result()
		for _, other := range fields {
			if strings.HasPrefix(other, name+"\t") && other < field {
				err = s.rdb.HDel(ctx, s.keys.tally(), other).Err()
			}
		}
		if err != nil {
			return sum, fmt.Errorf("forget old months of %s: %w", name, err)
		}
	}
	return sum, nil
}
