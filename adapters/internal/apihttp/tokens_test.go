package apihttp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"weeklybot/bot"
)

func TestTokensAreFetchedOnceAndBeforeTheirEnd(t *testing.T) {
	now, fetched := time.Unix(0, 0), 0
	tokens := NewTokens(func() time.Time { return now }, func(context.Context) (string, time.Duration, *bot.SendError) {
		fetched++ // one at a time: the race detector watches
		return fmt.Sprint("token", fetched), 100 * time.Second, nil
	})
	get := func(want string) {
		t.Helper()
		if token, err := tokens.Get(t.Context()); err != nil || token != want {
			t.Errorf("Get = %q, %v, want %q", token, err, want)
		}
	}
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() { get("token1") })
	}
	all.Wait()
	now = now.Add(79 * time.Second)
	get("token1")
	now = now.Add(time.Second) // four fifths
	get("token2")
	tokens.Drop("token1") // a refusal that comes late
	get("token2")
	tokens.Drop("token2")
	get("token3")
}

func TestTokensWaitOnlyUntilTheContextEnds(t *testing.T) {
	begun, hold := make(chan struct{}), make(chan struct{})
	tokens := NewTokens(time.Now, func(context.Context) (string, time.Duration, *bot.SendError) {
		close(begun)
		<-hold
		return "", 0, Local(bot.Retryable, bot.ScopeMessage, "http_503", errors.New("down"))
	})
	done := make(chan *bot.SendError)
	go func() {
		_, err := tokens.Get(context.Background())
		done <- err
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tokens.Get(ctx); err == nil || err.Code != CodeNotSent || !errors.Is(err, context.Canceled) {
		t.Errorf("Get while another fetches = %v", err)
	}
	close(hold)
	if err := <-done; err == nil || err.Code != "http_503" {
		t.Errorf("a failed fetch = %v", err)
	}
}

func TestCheckOrigin(t *testing.T) {
	for raw, good := range map[string]bool{
		"": true, "https://api.dingtalk.com": true, "https://api.dingtalk.com/": true, "http://127.0.0.1:80": true,
		"http://api.dingtalk.com": false, "https://api.dingtalk.com/v1.0": false, "https://a.example/?x=1": false, "https://u@a.example": false, "api": false, "\x00": false,
	} {
		if err := CheckOrigin(raw); (err == nil) != good {
			t.Errorf("CheckOrigin(%q) = %v, want good %v", raw, err, good)
		}
	}
}
