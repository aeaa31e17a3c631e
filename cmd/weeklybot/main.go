// Command weeklybot reads weekly newsletters and brings them to the chats where teams talk. `weeklybot --help` lists what it does;
// docs/commands.md has every form. This package is the only one that knows all the others: it reads the configuration, wires the parts
// together and runs them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes besides 0.
const (
	exitFailed  = 1 // the thing could not be done; stderr says why
	exitUsage   = 2 // the command line, or the chat command, is not one of ours
	exitUnknown = 3 // a message may have arrived: nobody answered
)

// exitError is an error with an exit code of its own. Without a text it prints nothing: the result said it.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// streams are the process' standard streams. stdout holds results only, logs and errors go to stderr.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run is the whole program: everything but the signals and the exit of the process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	var c commands
	type exited struct{ code int }
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(exited)
			if !ok {
				panic(r)
			}
			code = e.code
		}
	}()
	parser, err := kong.New(&c, append(toolCommands(),
		kong.Name("weeklybot"),
		kong.Description("Reads weekly newsletters, answers /hot ebpf, and brings a digest to Slack, WeCom, DingTalk and Feishu every week, once."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(exited{code}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"version": version(), "platforms": strings.Join(webhookPlatforms(), ", "), "targets": targetForms()},
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(streams{stdin, stdout, stderr}),
	)...)
	if err != nil {
		panic(err) // the table of commands is wrong: every test would see it
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "weeklybot: %v\nTry: weeklybot --help\n", err)
		return exitUsage
	}
	err = parsed.Run(&c)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintf(stderr, "weeklybot: %s\n", text)
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return exitFailed
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = s.Value
		}
	}
	return v
}
