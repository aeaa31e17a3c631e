package redisstore

import (
	"context"
	_ "embed"

	"github.com/redis/go-redis/v9"
)

//go:embed beat.lua
var beatSource string

//go:embed pulse.lua
var pulseSource string

//go:embed release.lua
var releaseSource string

//go:embed commit.lua
var commitSource string

//go:embed change.lua
var changeSource string

//go:embed publish.lua
var publishSource string

//go:embed order.lua
var orderSource string

//go:embed ail.lua
var ailSource string

//go:embed vote.lua
var voteSource string

//go:embed reserve.lua
var reserveSource string

//go:embed notice.lua
var noticeSource string

var (
	noticeScript  = redis.NewScript(noticeSource)
	reserveScript = redis.NewScript(reserveSource)
	ailScript     = redis.NewScript(ailSource)
	pulseScript   = redis.NewScript(pulseSource)
	beatScript    = redis.NewScript(beatSource)
	releaseScript = redis.NewScript(releaseSource)
	commitScript  = redis.NewScript(commitSource)
	changeScript  = redis.NewScript(changeSource)
	publishScript = redis.NewScript(publishSource)
	orderScript   = redis.NewScript(orderSource)
	voteScript    = redis.NewScript(voteSource)
)

// pipelined sends fill's calls of scripts in one pipeline. Where the server has forgotten one, they are loaded and the whole pipeline
// repeated: every script compares before it writes, so what already ran changes nothing.
func pipelined(ctx context.Context, rdb redis.UniversalClient, fill func(redis.Pipeliner) []*redis.Cmd, scripts ...*redis.Script) ([]*redis.Cmd, error) {
	var cmds []*redis.Cmd
	for try := 0; ; try++ {
		_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			cmds = fill(p)
			return nil
		})
		if try > 0 || !forgotten(cmds) {
			return cmds, err
		}
		for _, script := range scripts {
			_ = load(ctx, rdb, script) // where it fails, the second try says why; other masters of a Cluster have it now
		}
	}
}

func forgotten(cmds []*redis.Cmd) bool {
	for _, c := range cmds {
		if redis.HasErrorPrefix(c.Err(), "NOSCRIPT") {
			return true
		}
	}
	return false
}

// load puts a script on every master.
func load(ctx context.Context, rdb redis.UniversalClient, script *redis.Script) error {
	if c, ok := rdb.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, func(ctx context.Context, m *redis.Client) error { return script.Load(ctx, m).Err() })
	}
	return script.Load(ctx, rdb).Err()
}
