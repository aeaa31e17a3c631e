package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"weeklybot/adapters/terminal"
	"weeklybot/bot"
	"weeklybot/bot/command"
	"weeklybot/content"
	"weeklybot/content/index"
	"weeklybot/content/source"
)

type askCmd struct {
	Content []string `help:"Newsletter file or folder to search instead of the configured ones; may be repeated." placeholder:"PATH"`
	Lang    string   `help:"Language of the answer." enum:"zh,en," default:"" placeholder:"zh|en"`
	Limit   int      `help:"Most hits." default:"50"`
	JSON    bool     `help:"The answer as JSON (docs/commands.md has the form)." name:"json"`
	Text    []string `arg:"" help:"The command as one types it in a chat: \"/hot ebpf\"." name:"command" passthrough:""`
}

// Run answers one command over the newsletters alone: subscriptions live where the bot runs.
func (a *askCmd) Run(ctx context.Context, c *commands, s streams) error {
	lib, topics, cfg, err := a.library(ctx, c, s)
	if err != nil {
		return err
	}
	lang := a.Lang
	if lang == "" {
		lang = cfg.Lang
	}
	router := command.New(command.Deps{
		Library: func() *content.Library { return lib }, Search: index.Build(lib, topics), Topics: topics,
		Lang: lang, Zone: cfg.Zone, Limit: max(1, a.Limit), Log: c.logger(s, slog.LevelError),
	})
	answer, err := router.Answer(ctx, bot.Command{
		Text:    strings.Join(a.Text, " "),
		Channel: terminal.Channel(),
		Member:  bot.Member{ID: "ask", Lang: a.Lang, Admin: true},
	})
	text := terminal.Text(answer.Message)
	if a.JSON {
		if err := writeJSON(s.out, answerJSON(answer, text)); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(s.out, strings.TrimRight(text, "\n"))
	}
	if user, ok := errors.AsType[*bot.UserError](err); ok {
		return &exitError{code: exitUsage, err: fmt.Errorf("%s: %w", user.Code, user)}
	}
	return err
}

// library loads the newsletters named on the command line, else those of the configuration.
func (a *askCmd) library(ctx context.Context, c *commands, s streams) (*content.Library, *content.Topics, *Config, error) {
	if len(a.Content) == 0 {
		cfg, err := LoadConfig(c.Config)
		if err != nil {
			return nil, nil, nil, err
		}
		topics, err := cfg.topics()
		if err != nil {
			return nil, nil, nil, err
		}
		set, err := source.Open(ctx, cfg.Content.Sources, topics, c.logger(s, slog.LevelWarn), nil)
		if err != nil {
			return nil, nil, nil, err
		}
		return set.Library(), topics, cfg, nil
	}
	cfg, err := c.settings()
	if err != nil {
		return nil, nil, nil, err
	}
	topics, err := cfg.topics()
	if err != nil {
		return nil, nil, nil, err
	}
	issues, faults := source.Load(ctx, a.Content)
	for _, f := range faults {
		fmt.Fprintf(s.err, "weeklybot: %v\n", f)
	}
	if len(issues) == 0 {
		return nil, nil, nil, fmt.Errorf("no newsletter found in %s: want .md, .markdown or .txt files", strings.Join(a.Content, ", "))
	}
	return content.NewLibrary(issues, topics), topics, cfg, nil
}

type jsonAnswer struct {
	Command string    `json:"command"`
	Hits    []jsonHit `json:"hits"`
	Text    string    `json:"text"`
}

type jsonHit struct {
	ID      string    `json:"id"`
	Title   string    `json:"title"`
	URL     *string   `json:"url"`
	Text    string    `json:"text"`
	Issue   string    `json:"issue"`
	Date    *string   `json:"date"`
	Source  string    `json:"source"`
	Section string    `json:"section"`
	Score   float64   `json:"score"`
	Why     string    `json:"why"`
	Also    []jsonRef `json:"also"`
}

type jsonRef struct {
	Title  string  `json:"title"`
	URL    *string `json:"url"`
	Issue  string  `json:"issue"`
	Source string  `json:"source"`
}

func answerJSON(a command.Answer, text string) jsonAnswer {
	out := jsonAnswer{Command: a.Command, Hits: []jsonHit{}, Text: text}
	for _, h := range a.Hits {
		hit := jsonHit{
			ID: h.Item.ID, Title: h.Item.Title, URL: nullable(h.Item.URL), Text: h.Item.FullText(), Issue: h.Issue.Title, Date: nullable(h.Issue.Date),
			Source: h.Issue.Source, Section: h.Section.Heading, Score: h.Score, Why: h.Why, Also: []jsonRef{},
		}
		for _, ref := range h.Also {
			hit.Also = append(hit.Also, jsonRef{Title: ref.Item.Title, URL: nullable(ref.Item.URL), Issue: ref.Issue.Title, Source: ref.Issue.Source})
		}
		out.Hits = append(out.Hits, hit)
	}
	return out
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
