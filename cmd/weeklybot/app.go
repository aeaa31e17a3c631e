package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"weeklybot/adapters/terminal"
	"weeklybot/adapters/webhook"
	"weeklybot/bot"
	"weeklybot/bot/admin"
	"weeklybot/bot/command"
	"weeklybot/bot/digest"
	"weeklybot/bot/notice"
	"weeklybot/bot/outbox"
	"weeklybot/bot/schedule"
	"weeklybot/bot/web"
	"weeklybot/content"
	"weeklybot/content/index"
	"weeklybot/content/source"
)

// app is the running bot: every part, wired together.
type app struct {
	cfg      atomic.Pointer[Config]
	log      *slog.Logger
	db       *database
	topics   *content.Topics
	sources  *source.Set
	shelf    atomic.Pointer[shelf]
	adapters []bot.Adapter
	terminal *terminal.Adapter
	desk     *admin.Desk
	router   *command.Router
	engine   *outbox.Engine
	notices  *notice.Teller
	silent   atomic.Int64 // newsletters silent for too long, at the last look
	heeded   atomic.Bool  // a subscription's own rule has asked for holidays
	web      *web.Server
	changed  chan struct{} // the Library changed: tell the catalogue
	votes    *votes
}

// shelf is a Library with its index: readers see both of one load.
type shelf struct {
	lib *content.Library
	idx *index.Index
}

// newApp opens the store and the sources and builds every part; nothing runs yet.
func newApp(ctx context.Context, cfg *Config, std streams, log *slog.Logger) (*app, error) {
	a := &app{log: log, changed: make(chan struct{}, 1)}
	a.cfg.Store(cfg)
	var err error
	if a.topics, err = cfg.topics(); err != nil {
		return nil, err
	}
	if a.sources, err = source.Open(ctx, cfg.Content.Sources, a.topics, log, a.setLibrary); err != nil {
		return nil, err
	}
	a.setLibrary(a.sources.Library())
	if a.db, err = openStore(ctx, cfg, log); err != nil {
		return nil, err
	}
	a.votes = newVotes(a.db.store)
	if a.terminal, err = terminal.New(terminal.Config{Lang: cfg.Lang}, terminal.Deps{Out: std.out}); err == nil {
		err = a.makeAdapters(cfg)
	}
	if err != nil {
		return nil, errors.Join(err, a.db.Close())
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.desk = admin.New(admin.Deps{
		Store: a.db.store, Library: a.library, Topics: a.topics, Adapters: a.adapters, FindChannel: a.findChannel, Exceptions: a.exceptions, Lang: cfg.Lang, Zone: cfg.Zone, Log: log,
	})
	a.router = a.newRouter(cfg, a.observe(metrics))
	a.notices = notice.New(notice.Config{
		Store: a.db.store, Adapters: a.adapters, Admins: func() []string { return a.cfg.Load().Admins }, Lang: cfg.Lang, Log: log,
	})
	a.engine = outbox.New(outbox.Config{
		Queue: a.db.store, Composer: a, Adapters: a.adapters, Resolve: a.resolve, Shared: a.shared, Next: schedule.Next, When: a.when,
		Alarm: a.notices, OnUncertain: outbox.OnUncertain(cfg.OnUncertain), Log: log, Metrics: metrics,
	})
	a.web = a.newWeb(cfg, metrics)
	if err := a.declare(ctx, cfg); err != nil {
		return nil, errors.Join(err, a.db.Close())
	}
	return a, nil
}

func (a *app) makeAdapters(cfg *Config) error {
	for _, p := range platforms {
		made, err := p.make(cfg, deps{log: a.log, tally: a.db.store, redis: a.db.shared(), prefix: cfg.Redis.Prefix, terminal: a.terminal, publicURL: cfg.PublicURL})
		if err != nil {
			return err
		}
		a.adapters = append(a.adapters, made)
	}
	return nil
}

func (a *app) newRouter(cfg *Config, observe func(string, time.Duration)) *command.Router {
	return command.New(command.Deps{
		Library: a.library, Search: a, Topics: a.topics, Subs: a.db.store, Events: a.db.store, Votes: a.votes, Lang: cfg.Lang, Zone: cfg.Zone,
		Exceptions:  a.exceptions,
		SubscribeBy: cfg.SubscribeBy, Admins: cfg.Admins, Desk: a.desk, Meters: a.meters, Log: a.log, Observe: observe,
	})
}

// setLibrary indexes a Library and shows it to everybody at once; what tidying up the index takes, nobody waits for. It is called by one at a time.
func (a *app) setLibrary(lib *content.Library) {
	began := time.Now()
	var idx *index.Index
	if old := a.shelf.Load(); old != nil {
		idx = old.idx.Update(lib)
	} else {
		idx = index.Build(lib, a.topics)
	}
	a.shelf.Store(&shelf{lib, idx})
	a.log.Info("newsletters loaded", "issues", len(lib.Issues()), "items", lib.ItemCount(), "took", time.Since(began).Round(time.Millisecond))
	select {
	case a.changed <- struct{}{}:
	default:
	}
	if tidy := idx.Tidy(); tidy != idx {
		a.shelf.Store(&shelf{lib, tidy})
	}
}

func (a *app) library() *content.Library             { return a.shelf.Load().lib }
func (a *app) Rising(limit int) []content.TopicCount { return a.shelf.Load().idx.Rising(limit) }
func (a *app) Trend(topic string, weeks int) []int   { return a.shelf.Load().idx.Trend(topic, weeks) }

// Search finds items. What is hot also depends on what members voted.
func (a *app) Search(q content.Query) content.Result {
	q.Votes = a.votes.net()
	return a.shelf.Load().idx.Search(q)
}

// publishing tells the catalogue what the sources hold, after each change, until it has been told.
func (a *app) publishing(ctx context.Context) {
	for {
		select {
		case <-a.changed:
		case <-ctx.Done():
			return
		}
		for !a.publish(ctx) {
			select {
			case <-time.After(2 * time.Second):
			case <-ctx.Done():
				return
			}
		}
	}
}

func (a *app) publish(ctx context.Context) bool {
	for _, st := range a.sources.Status() {
		if st.LoadedAt.IsZero() {
			continue // its first load, which announces nothing, is still to come
		}
		entries, err := a.db.store.Publish(ctx, st.Name, bot.Sightings(a.sources.Issues(st.Name)))
		if err != nil {
			a.log.Warn("could not write the catalogue; trying again", "source", st.Name, "err", err)
			return false
		}
		for _, e := range entries {
			if !e.Back {
				a.log.Info("published", "issue", e.Key, "seq", e.Seq, "items", len(e.Items))
			}
		}
	}
	return true
}

// behindFor is how long a digest waits for an issue that another replica has published and this one has not loaded yet. After that it goes
// without: the issue was deleted.
const behindFor = time.Minute

// Compose makes the Message of a recipe out of the newest Library.
func (a *app) Compose(ctx context.Context, r bot.Recipe) (bot.Message, int, error) {
	entries, err := a.db.store.EntriesFor(ctx, r)
	if err != nil {
		return bot.Message{}, 0, err
	}
	lib := a.library()
	if missing := digest.Missing(r, entries, lib); len(missing) > 0 && recent(entries, missing) {
		a.sources.Reload(ctx)
		if lib = a.library(); len(digest.Missing(r, entries, lib)) > 0 {
			return bot.Message{}, 0, fmt.Errorf("issue %s is not loaded here yet", missing[0])
		}
	}
	msg, items := digest.Compose(r, entries, lib, a.topics)
	return msg, items, nil
}

// recent says whether one of the keys was published a moment ago.
func recent(entries []bot.Entry, keys []string) bool {
	return slices.ContainsFunc(entries, func(e bot.Entry) bool {
		return slices.Contains(keys, e.Key) && time.Since(time.UnixMilli(e.SeenMs)) < behindFor
	})
}

// resolve adds URL and key to a channel that the configuration declares.
func (a *app) resolve(ch bot.Channel) (bot.Channel, error) {
	if declared, ok := a.cfg.Load().declared()[ch.ID()]; ok {
		return declared, nil
	}
	if ch.Kind == "webhook" {
		return ch, fmt.Errorf("webhook channel %q is not declared in the configuration any more: declare it again, or unsubscribe it", ch.Name)
	}
	return ch, nil
}

// shared names the robot that several declared channels lead to; "" when the channel is alone.
func (a *app) shared(ch bot.Channel) string { return a.cfg.Load().shared(ch.ID()) }

// findChannel is the channel that a person names: as the configuration declares it, or "slack:T1/C1" for a place that the bot can post to
// itself.
func (a *app) findChannel(name string) (bot.Channel, error) {
	cfg := a.cfg.Load()
	for i := range cfg.Channels {
		if cfg.Channels[i].Name == name {
			return cfg.channel(i)
		}
	}
	adapter, rest, _ := strings.Cut(name, ":")
	workspace, address, ok := strings.Cut(rest, "/")
	p := platformNamed(adapter)
	k := -1
	if p != nil {
		k = slices.IndexFunc(p.kinds, func(kind bot.Kind) bool { return kind != webhook.Webhook })
	}
	if !ok || address == "" || k < 0 {
		return bot.Channel{}, fmt.Errorf("channel %q: %w", name, bot.ErrNotFound)
	}
	return bot.Channel{Adapter: p.name, Kind: p.kinds[k], Workspace: workspace, Address: address, Name: address}, nil
}

// listen starts what hears: adapters that dial out, and the prompt (nil: none).
func (a *app) listen(ctx context.Context, group *errgroup.Group, prompt io.Reader) {
	for _, ad := range a.adapters {
		if l, ok := ad.(bot.Listener); ok {
			group.Go(func() error {
				if err := l.Listen(ctx, a.router); err != nil {
					a.log.Error("a platform is not heard any more; the bot goes on sending", "adapter", ad.Name(), "err", err)
				}
				return nil
			})
		}
	}
	if prompt != nil {
		group.Go(func() error { return terminal.NewPrompt(prompt, a.terminal, a.log).Listen(ctx, a.router) })
	}
}

// newWeb serves the pages, and what platforms call.
func (a *app) newWeb(cfg *Config, metrics *prometheus.Registry) *web.Server {
	hooks := map[string]http.Handler{}
	for _, ad := range a.adapters {
		if h, ok := ad.(bot.Hook); ok {
			hooks[ad.Name()] = h.Hook(a.router)
		}
	}
	hooks["hooks"] = a.sources.Handler()
	hooks[strings.Trim(web.APIPath, "/")] = web.NewAPI(a.desk, cfg.APIToken, a.log)
	hooks[strings.Trim(source.UploadPath, "/")] = a.sources.Handler()
	return web.New(web.Config{
		Library: a.library, Search: a.Search, Trend: a.Trend, Topics: a.topics, Sources: a.sourceStatus, Troubles: a.troubles, Allowances: a.allowances, Ready: a.ready, Hooks: hooks,
		Metrics: promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}), Lang: cfg.Lang, PublicURL: cfg.PublicURL, Log: a.log,
	})
}

func (a *app) sourceStatus() (list []web.SourceStatus) {
	for _, st := range a.sources.Status() {
		list = append(list, web.SourceStatus(st))
	}
	return list
}

// ready says why the bot cannot do its work now; nil when it can.
func (a *app) ready(ctx context.Context) error {
	if a.db.engine != nil && a.db.engine.Err() != nil {
		return fmt.Errorf("the store is read-only: %w", a.db.engine.Err())
	}
	if err := a.db.store.Ping(ctx); err != nil {
		return errors.New("the store does not answer")
	}
	return nil
}

// observe registers what is measured outside the outbox and returns the observer of commands.
func (a *app) observe(reg prometheus.Registerer) func(string, time.Duration) {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "weeklybot_command_seconds", Help: "Time of one command.", Buckets: prometheus.ExponentialBuckets(0.0001, 3, 10),
	}, []string{"command"})
	items := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "weeklybot_library_items", Help: "Items that can be found."}, func() float64 {
		return float64(a.library().ItemCount())
	})
	reg.MustRegister(seconds, items, sourceAges{a})
	return func(name string, took time.Duration) { seconds.WithLabelValues(name).Observe(took.Seconds()) }
}

// sourceAges is a gauge per source: seconds since its last good load.
type sourceAges struct{ a *app }

var sourceAge = prometheus.NewDesc("weeklybot_source_age_seconds", "Time since a source was last read.", []string{"source"}, nil)

// Describe is part of prometheus.Collector.
func (sourceAges) Describe(ch chan<- *prometheus.Desc) { ch <- sourceAge }

// Collect is part of prometheus.Collector.
func (s sourceAges) Collect(ch chan<- prometheus.Metric) {
	for _, st := range s.a.sources.Status() {
		ch <- prometheus.MustNewConstMetric(sourceAge, prometheus.GaugeValue, time.Since(st.LoadedAt).Seconds(), st.Name)
	}
}

// serveHTTP serves until ctx ends, then lets open requests finish.
func (a *app) serveHTTP(ctx context.Context, listener net.Listener) error {
	srv := &http.Server{
		Handler: a.web, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		stopped <- srv.Shutdown(stop)
	}()
	a.log.Info("web pages", "url", "http://"+listener.Addr().String())
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// reload reads the configuration again. Channels, subscriptions, quiet hours, holidays and newsletters change at once; the rest with the next start.
func (a *app) reload(ctx context.Context, path string) {
	cfg, err := LoadConfig(path)
	if err != nil {
		a.log.Error("the configuration is at fault; going on with the one before", "err", strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	a.cfg.Store(cfg)
	if err := a.declare(ctx, cfg); err != nil {
		a.log.Error("could not store what the configuration declares", "err", err)
	}
	a.sources.Reload(ctx)
	a.log.Info("configuration read again; listen, redis, adapters and sources change with the next start")
}
