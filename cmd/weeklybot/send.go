package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/digest"
)

type sendCmd struct {
	To     string `help:"${targets}; the URL may be env:NAME or @FILE, for wecom also the robot's key alone." required:"" placeholder:"TARGET"`
	Secret string `help:"Signing secret of the webhook (DingTalk 加签, Standard Webhooks); may be env:NAME or @FILE." placeholder:"SECRET"`
	Style  string `help:"headlines, brief or full." enum:"headlines,brief,full" default:"brief"`
	Lang   string `help:"Language of the bot's own words; default: the configuration's." enum:"zh,en," default:"" placeholder:"zh|en"`
	Max    int    `help:"Most items; 0 = all." default:"0"`
	Path   string `arg:"" help:"One issue, or a folder (its newest issue)."`
}

// sendTimeout is how long one part may take.
const sendTimeout = 20 * time.Second

// Run posts the parts in order. Exit 0: all accepted; 1: refused; 3: nobody answered, it may have arrived.
func (p *sendCmd) Run(ctx context.Context, c *commands, s streams) error {
	cfg, err := c.settings()
	if err != nil {
		return err
	}
	adapter, dst, err := p.target(cfg, c.logger(s, slog.LevelError))
	if err != nil {
		return err
	}
	issue, err := oneIssue(ctx, p.Path)
	if err != nil {
		return err
	}
	parts := adapter.Split(dst.Kind, digest.Issue(issue, bot.Style(p.Style), orElse(p.Lang, cfg.Lang), p.Max))
	post := bot.Post{Key: bot.DeliveryKey(fmt.Sprintf("send %s %d", issue.Key(), time.Now().UnixNano())), Parts: len(parts)}
	for i := range parts {
		post.Part, post.Message = i+1, parts[i]
		receipt, err := p.one(ctx, adapter, dst, post)
		if err != nil {
			return sendFailure(err, i, len(parts))
		}
		if i == 0 {
			post.First = receipt
		}
		if gap := adapter.Capabilities(dst.Kind).MinGap; i+1 < len(parts) && gap > 0 {
			select {
			case <-time.After(gap):
			case <-ctx.Done():
				return fmt.Errorf("interrupted after part %d of %d", i+1, len(parts))
			}
		}
	}
	fmt.Fprintf(s.out, "sent %s: %d items in %d messages\n", issue.Title, issue.ItemCount(), len(parts))
	return nil
}

func (p *sendCmd) one(ctx context.Context, a bot.Adapter, dst bot.Channel, post bot.Post) (bot.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return a.Send(ctx, dst, post)
}

func sendFailure(err error, done, parts int) error {
	where := ""
	if parts > 1 {
		where = fmt.Sprintf(" (part %d of %d; those before it arrived)", done+1, parts)
	}
	se, ok := errors.AsType[*bot.SendError](err)
	if ok && se.MaybeSent {
		return &exitError{exitUnknown, fmt.Errorf("no answer came, the message may have arrived%s: %w", where, se)}
	}
	return &exitError{exitFailed, fmt.Errorf("refused%s: %w", where, err)}
}

// target reads --to: the platform, and where on it. The host of a URL that the operator types is trusted.
func (p *sendCmd) target(cfg *Config, log *slog.Logger) (bot.Adapter, bot.Channel, error) {
	name, spec, ok := strings.Cut(p.To, ":")
	row := platformNamed(strings.TrimSuffix(name, "-webhook"))
	if !ok || row == nil || row.target == nil || name != row.name+"-webhook" && name != row.name {
		return nil, bot.Channel{}, &exitError{exitUsage, fmt.Errorf("--to: want %s", targetForms())}
	}
	spec, err := indirect(spec)
	if err != nil {
		return nil, bot.Channel{}, fmt.Errorf("--to: %w", err)
	}
	secret, err := indirect(p.Secret)
	if err != nil {
		return nil, bot.Channel{}, fmt.Errorf("--secret: %w", err)
	}
	dst, err := row.target(spec, bot.Secret(secret))
	if err != nil {
		return nil, dst, &exitError{exitUsage, fmt.Errorf("--to: %w", err)}
	}
	if u, err := url.Parse(spec); err == nil && u.Host != "" {
		row.trust(cfg, u.Host)
	}
	a, err := row.make(cfg, deps{log: log, prefix: cfg.Redis.Prefix})
	return a, dst, err
}

// indirect reads env:NAME from the environment and @FILE from a file; anything else is the value itself.
func indirect(value string) (string, error) {
	if name, ok := strings.CutPrefix(value, "env:"); ok {
		v, ok := os.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		return strings.TrimSpace(v), nil
	}
	if path, ok := strings.CutPrefix(value, "@"); ok {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		return strings.TrimSpace(string(b)), nil
	}
	return value, nil
}
