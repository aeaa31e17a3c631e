package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"
)

type serveCmd struct {
	Listen string `help:"Address of the web pages; default: the configuration's listen." placeholder:"HOST:PORT"`
	Prompt bool   `help:"Show a prompt even when standard input is no terminal."`
}

// Run serves until the process is told to stop. End of input closes the prompt, not the bot.
func (s *serveCmd) Run(ctx context.Context, c *commands, std streams) error {
	log := c.logger(std, slog.LevelInfo)
	cfg, err := LoadConfig(c.Config)
	if err != nil {
		return err
	}
	if s.Listen != "" {
		cfg.Listen = s.Listen
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is taken by another program: stop it, or choose another address with --listen or listen: in %s", cfg.Listen, c.Config)
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", cfg.Listen, err)
	}
	a, err := newApp(ctx, cfg, std, log)
	if err != nil {
		_ = listener.Close()
		return err
	}
	var prompt io.Reader
	if s.Prompt || isTerminal(std.in) {
		prompt = std.in
	}
	return a.run(ctx, c, listener, prompt)
}

// isTerminal says whether r is a terminal that somebody may type into.
func isTerminal(r any) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && info.Name() != "null"
}

// run starts every part and waits for all of them. The first that fails stops the others.
func (a *app) run(ctx context.Context, c *commands, listener net.Listener, prompt io.Reader) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.sources.Run(ctx) })
	group.Go(func() error { return a.engine.Run(ctx) })
	group.Go(func() error { return a.serveHTTP(ctx, listener) })
	group.Go(func() error { a.publishing(ctx); return nil })
	group.Go(func() error { return a.notices.Run(ctx) })
	group.Go(func() error { a.watching(ctx); return nil })
	group.Go(func() error {
		a.votes.follow(ctx, func(err error) { a.log.Warn("the votes of members cannot be read", "err", err) })
		return nil
	})
	group.Go(func() error {
		for {
			select {
			case <-hangup:
				a.reload(ctx, c.Config)
			case <-ctx.Done():
				return nil
			}
		}
	})
	a.listen(ctx, group, prompt)
	err := group.Wait()
	if closed := a.db.Close(); err == nil {
		err = closed
	}
	return err
}
