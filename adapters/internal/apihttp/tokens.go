package apihttp

import (
	"context"
	"sync"
	"time"

	"weeklybot/bot"
)

// CodeNotSent is the Code of a post that was given up before its request.
const CodeNotSent = "not_sent"

// Tokens keeps the access token of one app. It is safe for concurrent use: one refresh at a time, the others wait for it.
type Tokens struct {
	fetch func(context.Context) (token string, life time.Duration, err *bot.SendError)
	now   func() time.Time
	turn  chan struct{} // holds one element while somebody fetches

	mu    sync.Mutex
	token string
	until time.Time
}

// NewTokens returns an empty keeper; fetch asks the platform for a token and how long it lives.
func NewTokens(now func() time.Time, fetch func(context.Context) (string, time.Duration, *bot.SendError)) *Tokens {
	return &Tokens{fetch: fetch, now: now, turn: make(chan struct{}, 1)}
}

// Get is a token that is good for a while: it is fetched again after four fifths of its life. It blocks while a token is fetched, at most
// until ctx ends.
func (t *Tokens) Get(ctx context.Context) (string, *bot.SendError) {
	if token := t.held(); token != "" {
		return token, nil
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", Local(bot.Retryable, bot.ScopeMessage, CodeNotSent, ctx.Err())
	}
	if token := t.held(); token != "" {
		return token, nil
	}
	token, life, err := t.fetch(ctx)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token, t.until = token, t.now().Add(life*4/5)
	return token, nil
}

func (t *Tokens) held() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now().Before(t.until) {
		return t.token
	}
	return ""
}

// Drop forgets a token that the platform refused, unless a newer one is held already.
func (t *Tokens) Drop(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token, t.until = "", time.Time{}
	}
}
