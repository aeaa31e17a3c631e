// Package terminal shows messages as readable text on a terminal, or in any io.Writer, and turns lines that are typed there into
// commands.
//
// A message is written whole, in one Write, so that two never mix. Nothing that a newsletter says can move the cursor, change colours
// or end the prompt: control characters are taken out before a line is laid out. All is safe for concurrent use.
package terminal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"weeklybot/bot"
)

const (
	name   = "terminal"
	prompt = bot.Kind("prompt") // the only kind
)

var (
	_ bot.Adapter   = (*Adapter)(nil)
	_ bot.Previewer = (*Adapter)(nil)
	_ bot.Messenger = (*Adapter)(nil)
)

// Config is how the text looks.
type Config struct {
	Lang string `yaml:"-"` // "zh" or "en": of the few words that are the terminal's own
}

// Deps are what the adapter works with; nil fields get defaults.
type Deps struct {
	Out io.Writer // os.Stdout
}

// Adapter writes to one terminal.
type Adapter struct {
	lang string
	ansi bool

	mu   sync.Mutex // held for each write
	out  io.Writer
	sign string // what the prompt shows while it waits for a line; "" = nobody is asked
}

// New checks nothing and writes nothing yet.
func New(cfg Config, deps Deps) (*Adapter, error) {
	out := deps.Out
	if out == nil {
		out = os.Stdout
	}
	if cfg.Lang != "en" {
		cfg.Lang = "zh"
	}
	return &Adapter{lang: cfg.Lang, ansi: wantsANSI(out), out: out}, nil
}

// wantsANSI says whether out is a terminal whose user has nothing against colours (no-color.org).
func wantsANSI(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Channel is the one place that can be posted to.
func Channel() bot.Channel {
	return bot.Channel{Adapter: name, Kind: prompt, Address: string(prompt), Name: name}
}

// Direct is the terminal: whoever types there reads there.
func (a *Adapter) Direct(string, string) (bot.Channel, bool) { return Channel(), true }

// Name is "terminal".
func (a *Adapter) Name() string { return name }

// Kinds is the one kind, "prompt".
func (a *Adapter) Kinds() []bot.Kind { return []bot.Kind{prompt} }

// Capabilities has no limits.
func (a *Adapter) Capabilities(bot.Kind) bot.Capabilities { return bot.Capabilities{} }

// Split leaves msg whole, but for its image: a terminal shows none.
func (a *Adapter) Split(_ bot.Kind, msg bot.Message) []bot.Message {
	return []bot.Message{msg.WithoutImage()}
}

// Preview is the text without colours, as {"text": …}.
func (a *Adapter) Preview(_ bot.Kind, p bot.Post) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(map[string]string{"text": Text(withPart(p))})
	return bytes.TrimSpace(buf.Bytes()), err
}

// Send writes one message and a blank line after it.
func (a *Adapter) Send(ctx context.Context, _ bot.Channel, p bot.Post) (bot.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return "", &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "cancelled", Err: err}
	}
	if err := a.show(withPart(p)); err != nil {
		return "", &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeChannel, Code: "write", MaybeSent: true, Err: err}
	}
	return "", nil
}

func withPart(p bot.Post) bot.Message {
	if p.Parts > 1 {
		p.Message.Title += fmt.Sprintf(" (%d/%d)", p.Part, p.Parts)
	}
	return p.Message
}

const clearLine = "\r\x1b[K" // over the prompt's sign, and what is being typed

// show writes msg, and then the prompt's sign again if somebody is being asked.
func (a *Adapter) show(msg bot.Message) error {
	page := layOut(msg)
	text := page.plain()
	if a.ansi {
		text = page.ansi()
	}
	return a.write(func(sign string) string {
		if sign != "" {
			return clearLine + text + "\n" + sign
		}
		return text + "\n"
	})
}

// ask shows the prompt's sign, on a terminal only; stopAsking says that a line has come.
func (a *Adapter) ask(sign string) {
	if !a.ansi {
		return
	}
	_ = a.write(func(string) string { a.sign = sign; return sign })
}

func (a *Adapter) stopAsking() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sign = ""
}

// write writes, in one Write, what text makes of the sign that stands there.
func (a *Adapter) write(text func(sign string) string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, err := io.WriteString(a.out, text(a.sign))
	return err
}
