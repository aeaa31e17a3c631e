package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/alecthomas/kong"

	"weeklybot/bot"
)

// toolCmd is `weeklybot PLATFORM TOOL`: the subcommands that an adapter brings along.
type toolCmd struct {
	platform string

	Tool string   `arg:"" optional:"" help:"What to do; without it, the list."`
	Args []string `arg:"" optional:"" passthrough:"" help:"Arguments of the tool."`
}

// toolCommands mounts every platform's tools below its name.
func toolCommands() []kong.Option {
	var options []kong.Option
	for _, p := range platforms {
		if p.tools != "" {
			options = append(options, kong.DynamicCommand(p.name, p.tools, "", &toolCmd{platform: p.name}))
		}
	}
	return options
}

// Run runs the named tool, or lists them.
func (t *toolCmd) Run(ctx context.Context, c *commands, s streams) error {
	cfg, err := c.settings()
	if err != nil {
		return err
	}
	a, err := platformNamed(t.platform).make(cfg, deps{log: c.logger(s, slog.LevelWarn), prefix: cfg.Redis.Prefix, publicURL: cfg.PublicURL})
	if err != nil {
		return err
	}
	box, ok := a.(bot.Toolbox)
	if !ok {
		return fmt.Errorf("%s has no tools", t.platform)
	}
	var names []string
	for _, tool := range box.Tools() {
		if tool.Name == t.Tool {
			return tool.Run(ctx, t.Args, s.out)
		}
		names = append(names, fmt.Sprintf("  weeklybot %s %-12s %s", t.platform, tool.Name, tool.Help))
	}
	list := strings.Join(names, "\n")
	if t.Tool == "" {
		fmt.Fprintln(s.out, list)
		return nil
	}
	return &exitError{exitUsage, fmt.Errorf("%s has no tool %q; there are:\n%s", t.platform, t.Tool, list)}
}
