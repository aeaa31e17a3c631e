package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"weeklybot/adapters/dingtalk"
	"weeklybot/adapters/feishu"
	"weeklybot/adapters/slack"
	"weeklybot/adapters/webhook"
	"weeklybot/adapters/wecom"
	"weeklybot/bot"
	"weeklybot/bot/outbox"
	"weeklybot/bot/schedule"
	"weeklybot/bot/web"
	"weeklybot/content"
	"weeklybot/content/source"
)

// Config is config.yaml. Relative paths in it are relative to its own folder.
type Config struct {
	Listen        string         `yaml:"listen"`
	PublicURL     string         `yaml:"public_url"`
	DataDir       string         `yaml:"data_dir"`
	Redis         RedisConfig    `yaml:"redis"`
	Lang          string         `yaml:"lang"`
	Zone          string         `yaml:"zone"`
	Admins        []string       `yaml:"admins"`
	APIToken      bot.Secret     `yaml:"api_token"`
	SubscribeBy   string         `yaml:"subscribe_by"`
	OnUncertain   string         `yaml:"on_uncertain"`
	QuietHours    string         `yaml:"quiet_hours"`
	Holidays      HolidayConfig  `yaml:"holidays"`
	Content       ContentConfig  `yaml:"content"`
	Adapters      AdapterConfig  `yaml:"adapters"`
	Channels      []ChannelDecl  `yaml:"channels"`
	Subscriptions []Subscription `yaml:"subscriptions"`

	dir      string // folder of the file
	calendar schedule.Exceptions
	once     sync.Once
	channels map[bot.ChannelID]bot.Channel
	leads    map[bot.Secret]int // how many channels have a URL
}

// RedisConfig says where Redis is: url for one server, addrs for a Cluster, addrs and master for Sentinel; nothing for the store inside
// the process.
type RedisConfig struct {
	URL          bot.Secret `yaml:"url"`
	Addrs        []string   `yaml:"addrs"`
	Master       string     `yaml:"master"`
	Username     string     `yaml:"username"`
	Password     bot.Secret `yaml:"password"`
	Prefix       string     `yaml:"prefix"`
	WaitReplicas int        `yaml:"wait_replicas"`
}

func (c RedisConfig) embedded() bool { return c.URL == "" && len(c.Addrs) == 0 }

// HolidayConfig says which days are public holidays, and what becomes of digests then.
type HolidayConfig struct {
	Set    string `yaml:"set"`    // a set that comes with the bot
	File   string `yaml:"file"`   // or one of your own, in the same form
	Policy string `yaml:"policy"` // of subscriptions that name none
}

// ContentConfig says which newsletters the bot reads.
type ContentConfig struct {
	Topics  string          `yaml:"topics"`
	Sources []source.Config `yaml:"sources"`
}

// AdapterConfig holds each platform's own settings.
type AdapterConfig struct {
	Slack    slack.Config    `yaml:"slack"`
	Wecom    wecom.Config    `yaml:"wecom"`
	Dingtalk dingtalk.Config `yaml:"dingtalk"`
	Feishu   feishu.Config   `yaml:"feishu"`
	Webhook  webhook.Config  `yaml:"webhook"`
}

// ChannelDecl declares a channel: a webhook with its URL and key, or a place by its platform's own address.
type ChannelDecl struct {
	Name      string     `yaml:"name"`
	Platform  string     `yaml:"platform"`
	Kind      string     `yaml:"kind"`
	URL       bot.Secret `yaml:"url"`
	Secret    bot.Secret `yaml:"secret"`
	Workspace string     `yaml:"workspace"`
	Address   string     `yaml:"address"`
}

// Subscription declares what a declared channel gets.
type Subscription struct {
	Channel  string   `yaml:"channel"`
	Series   []string `yaml:"series"`
	Topics   []string `yaml:"topics"`
	Schedule string   `yaml:"schedule"`
	Zone     string   `yaml:"zone"`
	Style    string   `yaml:"style"`
	Lang     string   `yaml:"lang"`
	MaxItems int      `yaml:"max_items"`
	Quiet    string   `yaml:"quiet_hours"`
	Holidays string   `yaml:"holidays"`
}

// defaultTopics may be absent: the built-in table stands by itself.
const defaultTopics = "topics.yaml"

// DefaultConfig is what an empty file means.
func DefaultConfig() *Config {
	return &Config{
		Listen: "127.0.0.1:8080", DataDir: "data", Lang: "zh", Zone: "Asia/Shanghai", SubscribeBy: "anyone", OnUncertain: string(outbox.Resend), Holidays: HolidayConfig{Set: "cn"},
		Redis: RedisConfig{Prefix: "wb"}, Content: ContentConfig{Topics: defaultTopics},
	}
}

// LoadConfig reads a file over the defaults and checks it. The error lists every fault, one a line.
func LoadConfig(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: write one (the project's own config.yaml is a commented example) or name another with --config", path)
	}
	if err != nil {
		return nil, err
	}
	cfg := DefaultConfig()
	cfg.dir = filepath.Dir(path)
	if err := decodeStrict(path, data, cfg); err != nil {
		return nil, err
	}
	if listen := os.Getenv("WEEKLYBOT_LISTEN"); listen != "" {
		cfg.Listen = listen
	}
	cfg.DataDir = cfg.resolve(cfg.DataDir)
	cfg.Content.Topics = cfg.resolve(cfg.Content.Topics)
	for i := range cfg.Content.Sources {
		src := &cfg.Content.Sources[i]
		if src.Dir = filepath.Join(cfg.DataDir, "sources"); src.Local() {
			src.Path = cfg.resolve(src.Path)
		}
	}
	if faults := cfg.Validate(); len(faults) > 0 {
		for i, f := range faults {
			faults[i] = fmt.Errorf("%s: %w", path, f)
		}
		return nil, errors.Join(faults...)
	}
	if cfg.calendar, err = cfg.exceptions(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
}

// resolve makes a path of the file relative to the file's folder.
func (c *Config) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

// Validate returns every fault, each with the path of its setting.
func (c *Config) Validate() []error {
	var faults []error
	fault := func(broken bool, format string, args ...any) {
		if broken {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	one := func(key, value string, of ...string) {
		fault(!slices.Contains(of, value), "%s: %q is none of %s", key, value, strings.Join(of, ", "))
	}
	_, _, err := net.SplitHostPort(c.Listen)
	fault(err != nil, "listen: %q is no host:port, for example 127.0.0.1:8080", c.Listen)
	fault(!publicURL(c.PublicURL), "public_url: %q is no https:// address (http:// only for this machine)", c.PublicURL)
	one("lang", c.Lang, "zh", "en")
	one("subscribe_by", c.SubscribeBy, "anyone", "managers", "admins")
	fault(c.APIToken != "" && len(c.APIToken) < web.MinTokenBytes, "api_token: is shorter than %d characters", web.MinTokenBytes)
	one("on_uncertain", c.OnUncertain, string(outbox.Resend), string(outbox.Hold))
	if _, err := schedule.Zone(c.Zone, "en"); err != nil {
		fault(true, "zone: %w", err)
	}
	if _, err := c.exceptions(); err != nil {
		faults = append(faults, err)
	}
	fault(c.DataDir == "" && c.Redis.embedded(), "data_dir: is empty, and without redis.url the store needs a folder")
	fault(c.Redis.URL != "" && len(c.Redis.Addrs) > 0, "redis: set url (one server) or addrs (Cluster, Sentinel), not both")
	fault(c.Redis.Master != "" && len(c.Redis.Addrs) == 0, "redis.master: Sentinel needs addrs as well: the addresses of the sentinels")
	fault(c.Redis.WaitReplicas < 0 || c.Redis.WaitReplicas > 10, "redis.wait_replicas: %d is not between 0 and 10", c.Redis.WaitReplicas)
	fault(c.Redis.WaitReplicas > 0 && c.Redis.embedded(), "redis.wait_replicas: needs a Redis with replicas: set redis.url or redis.addrs")
	fault(len(c.Content.Sources) == 0, "content.sources: is empty: name at least one source of newsletters")
	for _, p := range platforms {
		faults = append(faults, p.faults(c)...)
	}
	for i := range c.Channels {
		_, err := c.channel(i)
		fault(err != nil, "channels[%d]%w", i, err)
	}
	for i := range c.Subscriptions {
		_, _, err := c.subscription(i, nil)
		fault(err != nil, "subscriptions[%d]%w", i, err)
	}
	return faults
}

func publicURL(raw string) bool {
	u, err := url.Parse(raw)
	if raw == "" {
		return true
	}
	host := ""
	if err == nil {
		host = u.Hostname()
	}
	ip := net.ParseIP(host)
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	return err == nil && host != "" && (u.Scheme == "https" || u.Scheme == "http" && local)
}

// channel turns the i-th declaration into a Channel. Its address is its name, or what address says.
func (c *Config) channel(i int) (bot.Channel, error) {
	d := c.Channels[i]
	p := platformNamed(d.Platform)
	twice := slices.IndexFunc(c.Channels, func(o ChannelDecl) bool { return o.Name == d.Name })
	switch {
	case d.Name == "":
		return bot.Channel{}, errors.New(".name: is missing")
	case twice < i:
		return bot.Channel{}, fmt.Errorf(".name: %q stands twice", d.Name)
	case p == nil:
		return bot.Channel{}, fmt.Errorf(".platform: %q is none of %s", d.Platform, strings.Join(platformNames(), ", "))
	}
	ch := bot.Channel{Adapter: p.name, Kind: bot.Kind(d.Kind), Workspace: d.Workspace, Address: d.Address, Name: d.Name, URL: d.URL, Secret: d.Secret}
	if ch.Kind == "" {
		ch.Kind = p.kinds[0]
	}
	if ch.Address == "" {
		ch.Address = d.Name
	}
	switch {
	case !slices.Contains(p.kinds, ch.Kind):
		return ch, fmt.Errorf(".kind: %q is none of %v", d.Kind, p.kinds)
	case ch.Kind == webhook.Webhook && d.URL == "":
		return ch, errors.New(".url: is missing: the webhook's address")
	case ch.Kind == webhook.Webhook && (d.Address != "" || d.Workspace != ""):
		return ch, errors.New(".address: a webhook has none; it is known by its name")
	case ch.Kind != webhook.Webhook && p.name != "terminal" && d.Address == "":
		return ch, fmt.Errorf(".address: is missing: the platform's own ID of the place (docs/channels.md)")
	}
	if ch.Kind == webhook.Webhook {
		if _, err := p.target(d.URL.Reveal(), d.Secret); err != nil {
			return ch, fmt.Errorf(".url: %w", err)
		}
	}
	return ch, nil
}

// declared is every channel of the file by its ID. The file does not change any more: it is worked out once.
func (c *Config) declared() map[bot.ChannelID]bot.Channel {
	c.once.Do(func() {
		c.channels, c.leads = map[bot.ChannelID]bot.Channel{}, map[bot.Secret]int{}
		for i := range c.Channels {
			if ch, err := c.channel(i); err == nil {
				c.channels[ch.ID()] = ch
				c.leads[ch.URL]++
			}
		}
	})
	return c.channels
}

// shared names the URL of a declared channel that others have too, without giving it away; "" when the channel is alone.
func (c *Config) shared(id bot.ChannelID) string {
	ch, ok := c.declared()[id]
	if !ok || ch.URL == "" || c.leads[ch.URL] < 2 {
		return ""
	}
	sum := sha256.Sum256([]byte(ch.URL.Reveal()))
	return hex.EncodeToString(sum[:8])
}

// subscription turns the i-th declaration into the channel and what it gets. topics may be nil: topics are then taken as written.
func (c *Config) subscription(i int, topics *content.Topics) (bot.Channel, bot.Subscription, error) {
	d := c.Subscriptions[i]
	var ch bot.Channel
	k := slices.IndexFunc(c.Channels, func(o ChannelDecl) bool { return o.Name == d.Channel })
	if k < 0 {
		return ch, bot.Subscription{}, fmt.Errorf(".channel: %q is declared nowhere under channels:", d.Channel)
	}
	ch, _ = c.channel(k)
	sub := bot.Subscription{Style: bot.Style(d.Style), Lang: d.Lang, MaxItems: d.MaxItems, By: declaredBy}
	if !slices.Equal(d.Series, []string{"all"}) {
		sub.Series = d.Series
	}
	if !slices.Equal(d.Topics, []string{"all"}) {
		sub.Topics = canonical(d.Topics, topics)
	}
	if sub.Style == "" {
		sub.Style = bot.StyleBrief
	}
	if sub.Lang == "" {
		sub.Lang = c.Lang
	}
	zone := d.Zone
	if zone == "" {
		zone = c.Zone
	}
	var err error
	sub.Schedule, err = schedule.Parse(d.Schedule, zone, "en")
	switch {
	case err != nil:
		return ch, sub, fmt.Errorf(".schedule: %w", err)
	case !slices.Contains([]bot.Style{bot.StyleHeadlines, bot.StyleBrief, bot.StyleFull}, sub.Style):
		return ch, sub, fmt.Errorf(".style: %q is none of headlines, brief, full", d.Style)
	case sub.Lang != "zh" && sub.Lang != "en":
		return ch, sub, fmt.Errorf(".lang: %q is none of zh, en", d.Lang)
	case d.MaxItems < 0:
		return ch, sub, fmt.Errorf(".max_items: %d is negative", d.MaxItems)
	case !schedule.IsHolidayRule(d.Holidays):
		return ch, sub, fmt.Errorf(".holidays: %q is none of skip, next, none", d.Holidays)
	}
	sub.Except.Holidays = d.Holidays
	if sub.Except.Quiet, err = schedule.ParseQuiet(d.Quiet); err != nil {
		return ch, sub, fmt.Errorf(".quiet_hours: %w", err)
	}
	return ch, sub, nil
}

// exceptions reads the bot's own quiet hours and holidays.
func (c *Config) exceptions() (x schedule.Exceptions, err error) {
	x.Zone = c.Zone
	if x.Default.Quiet, err = schedule.ParseQuiet(c.QuietHours); err != nil {
		return x, fmt.Errorf("quiet_hours: %w", err)
	}
	if !schedule.IsHolidayRule(c.Holidays.Policy) {
		return x, fmt.Errorf("holidays.policy: %q is none of skip, next, none", c.Holidays.Policy)
	}
	x.Default.Holidays = c.Holidays.Policy
	if c.Holidays.File == "" {
		found := false
		if x.Holidays, found = schedule.BuiltinHolidays(c.Holidays.Set); !found && c.Holidays.Set != "" {
			return x, fmt.Errorf("holidays.set: %q does not come with the bot: use cn, or name a file", c.Holidays.Set)
		}
		return x, nil
	}
	file, err := os.Open(c.resolve(c.Holidays.File))
	if err != nil {
		return x, fmt.Errorf("holidays.file: %w", err)
	}
	defer func() { _ = file.Close() }()
	if x.Holidays, err = schedule.ReadHolidays(file); err != nil {
		return x, fmt.Errorf("holidays.file: %s: %w", c.Holidays.File, err)
	}
	return x, nil
}

func canonical(names []string, topics *content.Topics) []string {
	var list []string
	for _, n := range names {
		if c, ok := topics.Canonical(n); ok {
			n = c
		}
		list = append(list, n)
	}
	return list
}

// declaredBy marks subscriptions that come from the configuration.
const declaredBy = "config"

// topics reads the table of topics: the built-in one, and what the configured file adds.
func (c *Config) topics() (*content.Topics, error) {
	table := content.DefaultTopics()
	if c.Content.Topics == "" {
		return table, nil
	}
	data, err := os.ReadFile(c.Content.Topics)
	if errors.Is(err, os.ErrNotExist) && filepath.Base(c.Content.Topics) == defaultTopics {
		return table, nil
	}
	if err != nil {
		return nil, fmt.Errorf("content.topics: %w", err)
	}
	extended, err := table.Extend(data)
	if err != nil {
		return nil, fmt.Errorf("content.topics: %s: %w", c.Content.Topics, err)
	}
	return extended, nil
}

// shutdownTime is how long a stop may take in all.
const shutdownTime = 20 * time.Second
