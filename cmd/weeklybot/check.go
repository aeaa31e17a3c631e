package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"weeklybot/bot"
	"weeklybot/content/source"
)

type checkCmd struct{}

// checkTime bounds each thing that is tried.
const checkTime = 15 * time.Second

// Run prints one line for each thing tried; exit 1 when one fails.
func (*checkCmd) Run(ctx context.Context, c *commands, s streams) error {
	failed := false
	say := func(what string, err error) {
		verdict := "ok"
		if err != nil {
			failed, verdict = true, "FAILED: "+oneLine(err)
		}
		fmt.Fprintf(s.out, "%-40s %s\n", what, verdict)
	}
	cfg, err := LoadConfig(c.Config)
	for _, fault := range flatten(err) {
		say("configuration "+c.Config, fault)
	}
	if err != nil {
		return &exitError{code: exitFailed}
	}
	say("configuration "+c.Config, nil)
	log := c.logger(s, slog.LevelError+1)
	db := checkStore(ctx, cfg, log, say)
	checkSources(ctx, cfg, log, say)
	checkAdapters(ctx, cfg, db, log, say)
	if db != nil {
		_ = db.Close()
	}
	if failed {
		return &exitError{code: exitFailed}
	}
	return nil
}

// checkStore returns the open store, nil if there is none to open.
func checkStore(ctx context.Context, cfg *Config, log *slog.Logger, say func(string, error)) *database {
	what := "store: embedded in " + cfg.DataDir
	if !cfg.Redis.embedded() {
		what = "store: Redis at " + cfg.Redis.shown()
	}
	if cfg.Redis.embedded() && running(ctx, cfg) {
		say(what+" (in use by the running bot)", nil)
		return nil
	}
	db, err := openStore(ctx, cfg, log)
	say(what, err)
	return db
}

func checkSources(ctx context.Context, cfg *Config, log *slog.Logger, say func(string, error)) {
	topics, err := cfg.topics()
	say("topics", err)
	for _, src := range cfg.Content.Sources {
		what := fmt.Sprintf("source %s: %s", src.Name, src.Where())
		if src.Remote() { // into a folder of its own: a real fetch, and out of the way of a running bot
			dir, err := os.MkdirTemp("", "weeklybot-check-")
			if err != nil {
				say(what, err)
				continue
			}
			defer os.RemoveAll(dir)
			src.Dir = dir
		}
		set, err := source.Open(ctx, []source.Config{src}, topics, log, nil)
		if err == nil {
			st := set.Status()[0]
			what, err = fmt.Sprintf("%s (%d issues, %d items)", what, st.Issues, st.Items), st.Err
		}
		if err == nil && src.Kind != source.KindUpload && set.Library().ItemCount() == 0 {
			err = errors.New("no newsletter with items in it: want .md, .markdown or .txt files")
		}
		say(what, err)
	}
}

// checkAdapters tries the credentials of each platform, those in the store as well if there is one.
func checkAdapters(ctx context.Context, cfg *Config, db *database, log *slog.Logger, say func(string, error)) {
	d := deps{log: log, prefix: cfg.Redis.Prefix}
	if db != nil {
		d.redis = db.rdb
	}
	for _, p := range platforms {
		if p.target == nil {
			continue
		}
		a, err := p.make(cfg, d)
		if err != nil {
			say("adapter "+p.name, err)
			continue
		}
		if checker, ok := a.(bot.Checker); ok {
			ctx, cancel := context.WithTimeout(ctx, checkTime)
			for _, result := range checker.Check(ctx) {
				say(result.What, result.Err)
			}
			cancel()
		}
	}
}

// flatten takes joined errors apart, at every depth.
func flatten(err error) (list []error) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			list = append(list, flatten(e)...)
		}
		return list
	}
	if err != nil {
		list = append(list, err)
	}
	return list
}

func oneLine(err error) string {
	line := []rune(err.Error())
	for i, r := range line {
		if r == '\n' {
			line[i] = ' '
		}
	}
	return string(line)
}

type healthCmd struct{}

// Run asks the running bot whether it can work: for container health checks.
func (*healthCmd) Run(ctx context.Context, c *commands) error {
	cfg, err := c.settings()
	if err != nil {
		return err
	}
	return health(ctx, cfg)
}

func running(ctx context.Context, cfg *Config) bool { return health(ctx, cfg) == nil }

// health asks /readyz of the configured address, on this machine where it listens on all.
func health(ctx context.Context, cfg *Config) error {
	address, err := cfg.local()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no bot answers at %s: is it running?", cfg.Listen)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the bot at %s is not ready: %s", cfg.Listen, resp.Status)
	}
	return nil
}
