package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// fetch fetches one commit, without history, from where to into ref.
func (g *gitProgram) fetch(ctx context.Context, from, ref string) error {
	settings, err := g.connection(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, gitTime, fmt.Errorf("the host did not deliver within %v", gitTime))
	defer cancel()
	limited, tooLarge := context.WithCancelCause(ctx)
	defer tooLarge(nil)
	var watch = make(chan struct{})
	go func() {
		defer close(watch)
		g.watchSize(limited, tooLarge)
	}()
	err = g.finish(limited, g.command(limited, settings, "fetch", "--quiet", "--depth=1", "--no-tags", "--force", "--no-recurse-submodules",
		"--no-write-fetch-head", "--", g.address(), "+"+from+":"+ref))
	tooLarge(nil)
	<-watch
	return err
}

// watchSize ends a fetch that brings too much.
func (g *gitProgram) watchSize(ctx context.Context, stop context.CancelCauseFunc) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if treeSize(g.dir) > maxRepoBytes {
				stop(fmt.Errorf("the repository has over %d MiB; keep the newsletters in one of their own", maxRepoBytes>>20))
				return
			}
		}
	}
}

// treeSize is the number of bytes in all files below a folder.
func treeSize(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

// connection checks where the address leads and gives the settings for it. Git dials by itself, so that for https the addresses that
// were checked are pinned; ssh looks names up again, but answers only to a host whose key the account knows.
func (g *gitProgram) connection(ctx context.Context) ([]string, error) {
	if g.open || g.url.Scheme == "file" {
		return g.auth, nil
	}
	if g.url.Scheme == "https" {
		if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: g.url}); err != nil || proxy != nil {
			return g.auth, err // the proxy dials
		}
	}
	addrs, err := publicAddrs(ctx, g.url.Hostname())
	if err != nil && g.url.Scheme == "ssh" && !errors.Is(err, errPrivate) {
		return g.auth, nil // a name of the ssh configuration
	}
	if err != nil {
		return nil, err
	}
	host := hostPort(g.url)
	return append([]string{"http.curloptResolve", host + ":" + joinAddrs(addrs)}, g.auth...), nil
}

func joinAddrs(addrs []netip.Addr) string {
	var list []string
	for _, a := range addrs {
		if a = a.Unmap(); a.Is6() {
			list = append(list, "["+a.WithZone("").String()+"]")
		} else {
			list = append(list, a.String())
		}
	}
	return strings.Join(list, ",")
}
