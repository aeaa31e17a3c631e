package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"weeklybot/bot"
	"weeklybot/bot/digest"
	"weeklybot/content"
	"weeklybot/content/source"
)

type previewCmd struct {
	Platform string `help:"One of ${platforms}." required:"" placeholder:"NAME"`
	Kind     string `help:"Way into the platform: app, webhook, … Default: app for slack, webhook for the others." placeholder:"KIND"`
	Style    string `help:"headlines, brief or full." enum:"headlines,brief,full" default:"brief"`
	Lang     string `help:"Language of the bot's own words; default: the configuration's." enum:"zh,en," default:"" placeholder:"zh|en"`
	Max      int    `help:"Most items; 0 = all." default:"0"`
	Path     string `arg:"" help:"One issue, or a folder (its newest issue)."`
}

// Run prints a JSON array with one request body per part.
func (p *previewCmd) Run(ctx context.Context, c *commands, s streams) error {
	cfg, err := c.settings()
	if err != nil {
		return err
	}
	adapter, kind, err := p.adapter(cfg, c.logger(s, slog.LevelError))
	if err != nil {
		return err
	}
	issue, err := oneIssue(ctx, p.Path)
	if err != nil {
		return err
	}
	msg := digest.Issue(issue, bot.Style(p.Style), orElse(p.Lang, cfg.Lang), p.Max)
	bodies := []json.RawMessage{}
	parts := adapter.Split(kind, msg)
	for i, part := range parts {
		body, err := adapter.(bot.Previewer).Preview(kind, bot.Post{Key: bot.DeliveryKey("preview"), Part: i + 1, Parts: len(parts), Message: part})
		if err != nil {
			return fmt.Errorf("part %d of %d: %w", i+1, len(parts), err)
		}
		bodies = append(bodies, body)
	}
	return writeIndented(s.out, bodies)
}

func (p *previewCmd) adapter(cfg *Config, log *slog.Logger) (bot.Adapter, bot.Kind, error) {
	row := platformNamed(p.Platform)
	if row == nil || row.target == nil {
		return nil, "", &exitError{code: exitUsage, err: fmt.Errorf("--platform %s: want one of %s", p.Platform, strings.Join(webhookPlatforms(), ", "))}
	}
	a, err := row.make(cfg, deps{log: log, prefix: cfg.Redis.Prefix})
	if err != nil {
		return nil, "", err
	}
	if _, ok := a.(bot.Previewer); !ok {
		return nil, "", fmt.Errorf("%s has no preview", p.Platform)
	}
	kind := bot.Kind(p.Kind)
	if kind == "" {
		kind = a.Kinds()[0]
	}
	if kinds := a.Kinds(); !slices.Contains(kinds, kind) {
		return nil, "", &exitError{code: exitUsage, err: fmt.Errorf("--kind %s: %s has %v", p.Kind, p.Platform, kinds)}
	}
	return a, kind, nil
}

// oneIssue reads one file, or takes the newest issue with items of a folder.
func oneIssue(ctx context.Context, path string) (*content.Issue, error) {
	issues, faults := source.Load(ctx, []string{path})
	lib := content.NewLibrary(issues, nil)
	if i := lib.Latest(""); i != nil {
		return i, nil
	}
	if len(faults) > 0 {
		return nil, faults[0]
	}
	if len(issues) > 0 {
		return nil, fmt.Errorf("%s has no items: nothing to send", path)
	}
	return nil, fmt.Errorf("%s: no newsletter found: want .md, .markdown or .txt files", path)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
