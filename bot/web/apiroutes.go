package web

import (
	"strings"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/admin"
)

func (api *API) routes() {
	api.subscriptionRoutes()
	api.deliveryRoutes()
	api.broadcastRoutes()
	api.handle("GET", "schedules", func(r request) (any, error) {
		slots, broadcasts, err := api.desk.Schedules(r.ctx)
		if err != nil {
			return nil, err
		}
		list := []scheduleJSON{}
		for _, s := range slots {
			list = append(list, scheduleJSON{Schedule: scheduleText(s.Schedule), Zone: s.Schedule.Zone, Series: s.Series, Next: stamp(s.Next), Subscriptions: s.Members})
		}
		for _, b := range broadcasts {
			list = append(list, scheduleJSON{Schedule: b.Schedule.Cron, Zone: b.Schedule.Zone, Next: stamp(b.Next), Broadcast: b.ID})
		}
		return map[string]any{"schedules": list}, nil
	})
	api.handle("GET", "schedules/next", func(r request) (any, error) {
		n, err := r.number("n", 10, maxUpcoming)
		if err != nil {
			return nil, err
		}
		list, err := api.desk.Upcoming(r.ctx, n)
		return map[string]any{"runs": list}, err
	})
	api.handle("GET", "audit", func(r request) (any, error) {
		limit, err := r.limit()
		if err != nil {
			return nil, err
		}
		skip, err := r.number("skip", 0, 10_000)
		if err != nil {
			return nil, err
		}
		notes, err := api.desk.Notes(r.ctx, skip, limit)
		return map[string]any{"notes": notes}, err
	})
	api.handle("GET", "status", func(r request) (any, error) { return api.desk.Status(r.ctx) })
}

type scheduleJSON struct {
	Schedule      string     `json:"schedule"` // cron, "on publish", or "" for a broadcast at one time
	Zone          string     `json:"zone"`
	Series        string     `json:"series,omitempty"`
	Next          *time.Time `json:"next"`
	Subscriptions int        `json:"subscriptions"`
	Broadcast     string     `json:"broadcast,omitempty"`
}

func scheduleText(s bot.Schedule) string {
	if s.OnPublish {
		return "on publish"
	}
	return s.Cron
}

// stamp is null for no time.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

type channelJSON struct {
	ID        string   `json:"id"`
	Platform  string   `json:"platform"`
	Kind      bot.Kind `json:"kind"`
	Workspace string   `json:"workspace"`
	Address   string   `json:"address"`
	Name      string   `json:"name"`
}

type subscriptionJSON struct {
	ID       string      `json:"id"`
	Channel  channelJSON `json:"channel"`
	Series   []string    `json:"series"`
	Topics   []string    `json:"topics"`
	Schedule string      `json:"schedule"`
	Zone     string      `json:"zone"`
	Style    bot.Style   `json:"style"`
	Lang     string      `json:"lang"`
	MaxItems int         `json:"max_items"`
	Quiet    string      `json:"quiet_hours"`
	Holidays string      `json:"holidays"`
	State    bot.State   `json:"state"`
	By       string      `json:"by"`
	Next     *time.Time  `json:"next"`
}

func subscriptionView(s admin.Subscribed) subscriptionJSON {
	ch, sub := s.Channel, s.Sub
	return subscriptionJSON{
		ID:      sub.ID.String(),
		Channel: channelJSON{ch.ID().String(), ch.Adapter, ch.Kind, ch.Workspace, ch.Address, ch.Name},
		Series:  listOf(sub.Series), Topics: listOf(sub.Topics), Schedule: scheduleText(sub.Schedule), Zone: sub.Schedule.Zone, Style: sub.Style,
		Lang: sub.Lang, MaxItems: sub.MaxItems, Quiet: sub.Except.Quiet, Holidays: sub.Except.Holidays, State: sub.State, By: sub.By, Next: stamp(s.Next),
	}
}

// listOf is never null.
func listOf[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (api *API) subscriptionRoutes() {
	shown := func(s admin.Subscribed, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		return subscriptionView(s), nil
	}
	api.handle("GET", "subscriptions", func(r request) (any, error) {
		limit, err := r.limit()
		if err != nil {
			return nil, err
		}
		after := r.URL.Query().Get("after")
		if _, err := bot.ParseChannelID(after); err != nil && after != "" {
			return nil, &bot.UserError{Code: "bad_after", Text: "after is the next of the page before."}
		}
		subs, next, err := api.desk.Subscriptions(r.ctx, r.actor, after, limit)
		list := []subscriptionJSON{}
		for _, s := range subs {
			list = append(list, subscriptionView(s))
		}
		return map[string]any{"subscriptions": list, "next": next}, err
	})
	api.handle("POST", "subscriptions", func(r request) (any, error) {
		var body struct {
			Channel string `json:"channel"`
			admin.Wish
		}
		if err := r.decode(&body); err != nil {
			return nil, err
		}
		return shown(api.desk.Subscribe(r.ctx, r.actor, body.Channel, body.Wish))
	})
	api.handle("GET", "subscriptions/{id}", func(r request) (any, error) {
		return shown(api.desk.Subscription(r.ctx, r.actor, r.PathValue("id")))
	})
	api.handle("PATCH", "subscriptions/{id}", func(r request) (any, error) {
		var w admin.Wish
		if err := r.decode(&w); err != nil {
			return nil, err
		}
		return shown(api.desk.ChangeSubscription(r.ctx, r.actor, r.PathValue("id"), w))
	})
	api.handle("DELETE", "subscriptions/{id}", func(r request) (any, error) {
		return done("removed"), api.desk.Unsubscribe(r.ctx, r.actor, r.PathValue("id"))
	})
	api.handle("POST", "subscriptions/{id}/pause", func(r request) (any, error) {
		return shown(api.desk.Pause(r.ctx, r.actor, r.PathValue("id")))
	})
	api.handle("POST", "subscriptions/{id}/resume", func(r request) (any, error) {
		return shown(api.desk.Resume(r.ctx, r.actor, r.PathValue("id")))
	})
	api.handle("POST", "subscriptions/{id}/fire", func(r request) (any, error) {
		return done("fired"), api.desk.Fire(r.ctx, r.actor, r.PathValue("id"))
	})
}

func done(what string) map[string]string { return map[string]string{"done": what} }

func (api *API) deliveryRoutes() {
	api.handle("GET", "deliveries", func(r request) (any, error) {
		limit, err := r.limit()
		if err != nil {
			return nil, err
		}
		q := r.URL.Query()
		list, err := api.desk.Deliveries(r.ctx, r.actor, q.Get("after"), bot.DeliveryState(q.Get("state")), q.Get("run"), limit)
		next := ""
		if len(list) == limit {
			next = list[limit-1].ID
		}
		return map[string]any{"deliveries": listOf(list), "next": next}, err
	})
	// An ID of a delivery holds slashes.
	api.handle("GET", "deliveries/{id...}", func(r request) (any, error) {
		return api.desk.Delivery(r.ctx, r.actor, r.PathValue("id"))
	})
	api.handle("POST", "deliveries/retry", func(r request) (any, error) {
		id, err := r.named()
		if err != nil {
			return nil, err
		}
		return done("queued"), api.desk.Retry(r.ctx, r.actor, id)
	})
	api.handle("POST", "deliveries/drop", func(r request) (any, error) {
		id, err := r.named()
		if err != nil {
			return nil, err
		}
		return done("dropped"), api.desk.Drop(r.ctx, r.actor, id)
	})
}

// named reads {"id": …}.
func (r request) named() (string, error) {
	var body struct {
		ID string `json:"id"`
	}
	err := r.decode(&body)
	return body.ID, err
}

// broadcastJSON is a broadcast without its token, which only its author is told.
type broadcastJSON struct {
	ID       string             `json:"id"`
	State    bot.BroadcastState `json:"state"`
	Title    string             `json:"title"`
	Audience bot.Audience       `json:"audience"`
	Channels int                `json:"channels"` // of the audience, when it was drafted
	Schedule string             `json:"schedule"`
	Zone     string             `json:"zone"`
	At       *time.Time         `json:"at"`
	Next     *time.Time         `json:"next"`
	By       string             `json:"by"`
	Created  time.Time          `json:"created"`
	Approver string             `json:"approver"`
	Stopper  string             `json:"stopper"`
	Runs     []bot.BroadcastRun `json:"runs"`
	Recall   *bot.BroadcastRun  `json:"recall"`
}

func broadcastView(b bot.Broadcast) broadcastJSON {
	return broadcastJSON{
		ID: b.ID, State: b.State, Title: b.Title, Audience: b.Audience, Channels: b.Count, Schedule: b.Schedule.Cron, Zone: b.Schedule.Zone, At: stamp(b.At),
		Next: stamp(b.Next), By: b.By, Created: b.Created, Approver: b.Approver, Stopper: b.Stopper, Runs: listOf(b.Runs), Recall: b.Recall,
	}
}

type reportJSON struct {
	Broadcast broadcastJSON    `json:"broadcast"`
	Progress  *bot.Progress    `json:"progress"`
	Recall    *bot.Progress    `json:"recall"`
	Reasons   map[string]int   `json:"reasons"`
	Failures  []bot.DeadLetter `json:"failures"`
	Uncertain int              `json:"uncertain"`
}

func (api *API) broadcastRoutes() {
	shown := func(b bot.Broadcast, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		return broadcastView(b), nil
	}
	api.handle("GET", "broadcasts", func(r request) (any, error) {
		limit, err := r.limit()
		if err != nil {
			return nil, err
		}
		found, err := api.desk.Broadcasts(r.ctx, r.URL.Query().Get("after"), limit)
		list, next := []broadcastJSON{}, ""
		for _, b := range found {
			list = append(list, broadcastView(b))
		}
		if len(list) == limit {
			next = list[limit-1].ID
		}
		return map[string]any{"broadcasts": list, "next": next}, err
	})
	api.handle("POST", "broadcasts", func(r request) (any, error) {
		var body admin.Request
		if err := r.decode(&body); err != nil {
			return nil, err
		}
		d, err := api.desk.Draft(r.ctx, r.actor, body)
		if err != nil {
			return nil, err
		}
		return map[string]any{"broadcast": broadcastView(d.Broadcast), "reach": listOf(d.Reach), "token": d.Broadcast.Token}, nil
	})
	api.handle("GET", "broadcasts/{id}", func(r request) (any, error) {
		report, err := api.desk.Report(r.ctx, r.actor, r.PathValue("id"))
		return broadcastView(report.Broadcast), err
	})
	api.handle("GET", "broadcasts/{id}/report", func(r request) (any, error) {
		report, err := api.desk.Report(r.ctx, r.actor, r.PathValue("id"))
		return reportJSON{broadcastView(report.Broadcast), report.Progress, report.Recall, report.Reasons, listOf(report.Failures), report.Uncertain}, err
	})
	api.handle("GET", "broadcasts/{id}/preview", func(r request) (any, error) {
		previews, err := api.desk.Previews(r.ctx, r.actor, r.PathValue("id"))
		return map[string]any{"previews": previews}, err
	})
	api.handle("POST", "broadcasts/{id}/approve", func(r request) (any, error) {
		var body struct {
			Token string `json:"token"`
		}
		if err := r.decode(&body); err != nil {
			return nil, err
		}
		return shown(api.desk.Approve(r.ctx, r.actor, r.PathValue("id"), strings.TrimSpace(body.Token)))
	})
	api.handle("POST", "broadcasts/{id}/cancel", func(r request) (any, error) {
		return shown(api.desk.Cancel(r.ctx, r.actor, r.PathValue("id")))
	})
	api.handle("POST", "broadcasts/{id}/recall", func(r request) (any, error) {
		return shown(api.desk.Recall(r.ctx, r.actor, r.PathValue("id")))
	})
}
