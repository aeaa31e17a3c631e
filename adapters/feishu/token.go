package feishu

import (
	"context"
	"sync"
	"time"

	"weeklybot/bot"
)

// tokens holds the app's access token. It is safe for concurrent use: one refresh at a time, the others wait for it.
type tokens struct {
	fetch func(context.Context) (token string, life time.Duration, err *bot.SendError)
	now   func() time.Time
	turn  chan struct{} // holds one element while somebody fetches

	mu    sync.Mutex
	token string
	until time.Time
}

func newTokens(now func() time.Time, fetch func(context.Context) (string, time.Duration, *bot.SendError)) *tokens {
	return &tokens{fetch: fetch, now: now, turn: make(chan struct{}, 1)}
}

// get is a token that is good for a while. It is fetched again after four fifths of its life: within its last half hour the platform gives a new one.
func (t *tokens) get(ctx context.Context) (string, *bot.SendError) {
	if token := t.held(); token != "" {
		return token, nil
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", local(bot.Retryable, bot.ScopeMessage, codeNotSent, ctx.Err())
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

func (t *tokens) held() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now().Before(t.until) {
		return t.token
	}
	return ""
}

// drop forgets token, unless a newer one is held already.
func (t *tokens) drop(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == token {
		t.token, t.until = "", time.Time{}
	}
}
