package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"weeklybot/adapters/dingtalk"
	dingtwin "weeklybot/adapters/dingtalk/twin"
	"weeklybot/adapters/feishu"
	feishutwin "weeklybot/adapters/feishu/twin"
	"weeklybot/adapters/slack"
	slacktwin "weeklybot/adapters/slack/twin"
	"weeklybot/adapters/wecom"
	wecomtwin "weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
)

// demoCmd lets a person without any account see everything: the bot beside stand-ins of Slack, WeCom, DingTalk and Feishu on this machine.
type demoCmd struct {
	Listen   string `help:"Address of the bot's own pages." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Schedule string `help:"When the sample channels get their digest." default:"* * * * *" placeholder:"SCHEDULE"`
	Prompt   bool   `help:"Show a prompt even when standard input is no terminal."`
}

// Credentials of the stand-ins: they open nothing.
const (
	demoSlackToken   = "xoxb-demo"
	demoSlackSigning = "demo-signing-secret"
	demoRobotKey     = "demo-robot"
	demoDingSecret   = "SECdemo"
	demoCorp         = "wwdemo"
	demoAgent        = 1000002
	demoAppSecret    = "demo-app-secret"
	demoToken        = "demotoken"
	demoBotID        = "aibdemo"
	demoBotName      = "周报助手"
	demoAESKey       = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// Run serves until the process is told to stop. The store lives in a temporary folder: nothing stays behind.
func (d *demoCmd) Run(ctx context.Context, c *commands, std streams) error {
	log := c.logger(std, slog.LevelWarn)
	cfg, err := c.settings()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "weeklybot-demo")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cfg.Listen, cfg.DataDir, cfg.Redis = d.Listen, filepath.Join(dir, "data"), RedisConfig{Prefix: "wb"}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another address with --listen", cfg.Listen, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	pages, err := d.standIns(ctx, group, cfg, "http://"+listener.Addr().String())
	if err != nil {
		_ = listener.Close()
		return err
	}
	if faults := cfg.Validate(); len(faults) > 0 {
		_ = listener.Close()
		return errors.Join(faults...)
	}
	a, err := newApp(ctx, cfg, std, log)
	if err != nil {
		_ = listener.Close()
		return err
	}
	fmt.Fprintf(std.out, "weeklybot with stand-ins of four platforms, whose pages can be typed on; the first digests come within a minute (%s).\n", d.Schedule)
	fmt.Fprintf(std.out, "  %-10s http://%s/\n%s  Stop with Ctrl-C.\n\n", "archive", listener.Addr(), pages)
	var prompt io.Reader
	if d.Prompt || isTerminal(std.in) {
		prompt = std.in
	}
	group.Go(func() error { return a.run(ctx, c, listener, prompt) })
	return group.Wait()
}

// standIns starts the twins, points the adapters at them, and declares a subscribed channel on each.
func (d *demoCmd) standIns(ctx context.Context, group *errgroup.Group, cfg *Config, botURL string) (pages string, err error) {
	slackTwin := slacktwin.New(slacktwin.Options{BotToken: demoSlackToken, SigningSecret: demoSlackSigning, BotURL: botURL})
	wecomTwin := wecomtwin.New(wecomtwin.Options{Robots: []string{demoRobotKey}, Apps: []wecomtwin.App{{
		CorpID: demoCorp, AgentID: demoAgent, Secret: demoAppSecret, Token: demoToken, EncodingAESKey: demoAESKey, CallbackURL: botURL + "/wecom/callback",
	}}, Bots: []wecomtwin.Bot{{ID: demoBotID, Name: demoBotName, Secret: demoAppSecret}}})
	dingTwin := dingtwin.New(dingtwin.Options{
		Robots:   []dingtwin.Robot{{Name: "技术周刊群", Token: demoRobotKey, Secret: demoDingSecret}},
		ClientID: "demo", ClientSecret: demoAppSecret, RobotCode: "demo", CorpID: "dingdemo",
	})
	feishuTwin := feishutwin.New(feishutwin.Options{Bots: []feishutwin.Bot{{Name: "技术周刊群", Token: demoRobotKey, Secret: demoAppSecret}}, AppID: "demo", AppSecret: demoAppSecret})
	urls := map[string]string{}
	for _, twin := range []struct {
		name string
		page http.Handler
	}{{slack.Name, slackTwin}, {wecom.Name, wecomTwin}, {dingtalk.Name, dingTwin}, {feishu.Name, feishuTwin}} {
		if urls[twin.name], err = serveTwin(ctx, group, twin.page); err != nil {
			return "", err
		}
		pages += fmt.Sprintf("  %-10s %s/\n", twin.name, urls[twin.name])
	}
	slackTwin.SetURL(urls[slack.Name])
	dingTwin.SetBaseURL(urls[dingtalk.Name])
	cfg.Adapters.Slack = slack.Config{BotToken: demoSlackToken, SigningSecret: demoSlackSigning, APIURL: urls[slack.Name] + "/api/"}
	cfg.Adapters.Wecom = wecom.Config{APIURL: urls[wecom.Name], Apps: []wecom.App{{
		Name: "demo", CorpID: demoCorp, AgentID: demoAgent, Secret: demoAppSecret, Token: demoToken, EncodingAESKey: demoAESKey,
	}}, AIBotURL: "ws" + strings.TrimPrefix(urls[wecom.Name], "http"), AIBots: []wecom.AIBot{{
		Name: "demo", ShownName: demoBotName, BotID: demoBotID, Secret: demoAppSecret,
	}}}
	cfg.Adapters.Dingtalk = dingtalk.Config{
		OAPIURL: urls[dingtalk.Name], APIURL: urls[dingtalk.Name], ClientID: "demo", ClientSecret: demoAppSecret, RobotCode: "demo", CorpID: "dingdemo",
		Mode: dingtalk.ModeStream,
	}
	cfg.Adapters.Feishu = feishu.Config{APIURL: urls[feishu.Name], AppID: "demo", AppSecret: demoAppSecret}
	d.declare(cfg, urls)
	return pages, nil
}

// declare subscribes one channel on each stand-in.
func (d *demoCmd) declare(cfg *Config, urls map[string]string) {
	cfg.Channels = []ChannelDecl{
		{Name: "slack-team", Platform: slack.Name, Kind: string(slack.KindApp), Workspace: slacktwin.TeamID, Address: "C0GENERAL"},
		{Name: "wecom-team", Platform: wecom.Name, Kind: string(wecom.KindWebhook), URL: bot.Secret(urls[wecom.Name] + "/cgi-bin/webhook/send?key=" + demoRobotKey)},
		{Name: "dingtalk-team", Platform: dingtalk.Name, Kind: string(dingtalk.KindWebhook), URL: bot.Secret(urls[dingtalk.Name] + "/robot/send?access_token=" + demoRobotKey), Secret: demoDingSecret},
		{Name: "feishu-team", Platform: feishu.Name, Kind: string(feishu.KindWebhook), URL: bot.Secret(urls[feishu.Name] + "/open-apis/bot/v2/hook/" + demoRobotKey), Secret: demoAppSecret},
	}
	cfg.Subscriptions = nil
	for _, ch := range cfg.Channels {
		cfg.Subscriptions = append(cfg.Subscriptions, Subscription{Channel: ch.Name, Series: []string{"all"}, Schedule: d.Schedule})
	}
}

// serveTwin serves a stand-in on a free port of this machine until ctx ends.
func serveTwin(ctx context.Context, group *errgroup.Group, twin http.Handler) (url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: twin, ReadHeaderTimeout: 5 * time.Second}
	group.Go(func() error {
		if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return srv.Close()
	})
	return "http://" + listener.Addr().String(), nil
}
