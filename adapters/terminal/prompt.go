package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"weeklybot/bot"
)

// maxLine is the longest line that is taken as a command, in bytes.
const maxLine = 4 << 10

const sign = "weeklybot> "

var lineTooLong = map[string]string{
	"zh": "这一行超过 4 KiB，没有执行。请输入短一些的命令，例如 /hot ebpf。",
	"en": "This line is longer than 4 KiB and was not run. Type a shorter command, such as /hot ebpf.",
}

var _ bot.Listener = (*Prompt)(nil)

// Prompt reads commands, one a line, and shows the answers. Whoever types is an administrator: the terminal belongs to whoever runs
// the bot.
type Prompt struct {
	in    io.Reader
	shown *Adapter
	log   *slog.Logger
	now   func() time.Time
	begun int64 // keeps the ids of two runs apart
	count int
}

// NewPrompt reads from in (nil = os.Stdin) and answers on a. A nil log is slog.Default.
func NewPrompt(in io.Reader, a *Adapter, log *slog.Logger) *Prompt {
	if in == nil {
		in = os.Stdin
	}
	if log == nil {
		log = slog.Default()
	}
	return &Prompt{in: in, shown: a, log: log, now: time.Now, begun: time.Now().UnixNano()}
}

// typed is one line, or why there is none.
type typed struct {
	text string
	err  error
}

var errTooLong = errors.New("line too long")

// Listen runs one command after the other until ctx ends. The end of the input ends the asking, not Listen: the bot goes on. Listen is
// called once. It closes its input when ctx ends, to stop reading; where that cannot interrupt a read (a terminal), the goroutine
// that waits for the next line stays until the process ends.
func (p *Prompt) Listen(ctx context.Context, in bot.Inbox) error {
	lines, ended := make(chan typed), make(chan struct{})
	go func() {
		defer close(ended)
		p.read(ctx, lines)
	}()
	for {
		p.shown.ask(sign)
		select {
		case <-ctx.Done():
			p.stop(ended)
			return nil
		case line := <-lines:
			p.shown.stopAsking()
			if line.err != nil && line.err != errTooLong {
				<-ctx.Done()
				return nil
			}
			p.run(ctx, in, line)
		}
	}
}

// read sends lines until the input or ctx ends.
func (p *Prompt) read(ctx context.Context, lines chan<- typed) {
	r := bufio.NewReaderSize(p.in, maxLine+2) // room for the line end
	for {
		line := nextLine(r)
		select {
		case lines <- line:
		case <-ctx.Done():
			return
		}
		if line.err != nil && line.err != errTooLong {
			return
		}
	}
}

// nextLine reads one line without keeping more than the buffer of it.
func nextLine(r *bufio.Reader) typed {
	raw, err := r.ReadSlice('\n')
	text := strings.TrimSpace(strings.ToValidUTF8(string(raw), ""))
	tooLong := err == bufio.ErrBufferFull || len(strings.TrimRight(string(raw), "\r\n")) > maxLine
	for err == bufio.ErrBufferFull {
		_, err = r.ReadSlice('\n')
	}
	switch {
	case tooLong:
		return typed{err: errTooLong}
	case err == io.EOF && text != "":
		return typed{text: text} // the last line needs no end
	}
	return typed{text, err}
}

// stop ends a read that is under way, if the input can do that.
func (p *Prompt) stop(ended <-chan struct{}) {
	if file, ok := p.in.(*os.File); ok {
		if file.SetReadDeadline(time.Unix(1, 0)) == nil {
			<-ended
		}
		return
	}
	if closer, ok := p.in.(io.Closer); ok {
		closer.Close()
		<-ended
	}
}

func (p *Prompt) run(ctx context.Context, in bot.Inbox, line typed) {
	if line.err == errTooLong {
		p.show(bot.Message{Blocks: []bot.Block{{Kind: bot.BlockText, Text: lineTooLong[p.shown.lang]}}})
		return
	}
	if line.text == "" {
		return
	}
	p.count++
	answer, err := in.Command(ctx, bot.Command{
		ID:      fmt.Sprintf("prompt-%d-%d", p.begun, p.count),
		Text:    line.text,
		Channel: Channel(),
		Member:  bot.Member{ID: name, Name: name, Lang: p.shown.lang, Admin: true},
		At:      p.now(),
	})
	if err != nil {
		p.log.Error("command failed", "adapter", name, "err", err)
	}
	p.show(answer)
}

func (p *Prompt) show(msg bot.Message) {
	if err := p.shown.show(msg); err != nil {
		p.log.Warn("cannot write to the terminal", "adapter", name, "err", err)
	}
}
