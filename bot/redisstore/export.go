package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"weeklybot/bot"
)

// exportFormat is the first line's type; its version rises when a line's form changes.
const (
	exportFormat  = "weeklybot-state"
	exportVersion = 1
)

// line is one line of an export. Which fields count depends on Type.
type line struct {
	Type string `json:"type"`

	Version int        `json:"version,omitempty"` // weeklybot-state
	At      *time.Time `json:"at,omitempty"`

	Entry *bot.Entry `json:"entry,omitempty"` // entry

	Key    string `json:"key,omitempty"`    // seen: issue key
	Known  string `json:"known,omitempty"`  // seen: what the catalogue knows of it
	Source string `json:"source,omitempty"` // loaded

	Channel *channelLine    `json:"channel,omitempty"` // channel
	Letter  *bot.DeadLetter `json:"letter,omitempty"`  // letter

	Broadcast *bot.Broadcast `json:"broadcast,omitempty"` // broadcast
	Message   *bot.Message   `json:"message,omitempty"`   // broadcast
	Vote      *voteLine      `json:"vote,omitempty"`      // vote
	Notice    *bot.Notice    `json:"notice,omitempty"`    // notice
}

type channelLine struct {
	Adapter   string    `json:"adapter"`
	Kind      bot.Kind  `json:"kind"`
	Workspace string    `json:"workspace"`
	Address   string    `json:"address"`
	Name      string    `json:"name"`
	Last      int       `json:"last_ordinal"`
	Subs      []subLine `json:"subscriptions"`
}

type subLine struct {
	Ordinal   int       `json:"ordinal"`
	Series    []string  `json:"series"`
	Topics    []string  `json:"topics"`
	OnPublish bool      `json:"on_publish,omitempty"`
	Cron      string    `json:"cron,omitempty"`
	Zone      string    `json:"zone,omitempty"`
	Style     bot.Style `json:"style"`
	Lang      string    `json:"lang"`
	MaxItems  int       `json:"max_items"`
	Quiet     string    `json:"quiet_hours,omitempty"`
	Holidays  string    `json:"holidays,omitempty"`
	State     bot.State `json:"state"`
	By        string    `json:"by"`
	Offered   int64     `json:"offered"` // catalogue number up to which it has had, or was offered, everything
	Fresh     bool      `json:"fresh"`   // its first digest is still to come
}

// Export writes everything that matters as JSON Lines: the catalogue, channels with their subscriptions and what each is still to get, dead
// letters, broadcasts, votes, notices. Records, not keys: any store, of any number of shards, can import it. The ledger of what was delivered stays behind.
func (s *Store) Export(ctx context.Context, w io.Writer) (channels int, err error) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	now := time.Now().UTC()
	if err := enc.Encode(line{Type: exportFormat, Version: exportVersion, At: &now}); err != nil {
		return 0, err
	}
	if err := s.exportCatalogue(ctx, enc); err != nil {
		return 0, err
	}
	for sh := range s.keys.shards {
		n, err := s.exportShard(ctx, sh, enc)
		if channels += n; err != nil {
			return channels, fmt.Errorf("export shard %d: %w", sh, err)
		}
	}
	if err := s.exportBroadcasts(ctx, enc); err != nil {
		return channels, err
	}
	if err := s.exportVotes(ctx, enc); err != nil {
		return channels, err
	}
	return channels, s.exportNotices(ctx, enc)
}

func (s *Store) exportCatalogue(ctx context.Context, enc *json.Encoder) error {
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	entries, err := s.Entries(ctx, 0, head)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := enc.Encode(line{Type: "entry", Entry: &e}); err != nil {
			return err
		}
	}
	seen, err := s.rdb.HGetAll(ctx, s.keys.seen()).Result()
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(seen)) {
		if err := enc.Encode(line{Type: "seen", Key: key, Known: seen[key]}); err != nil {
			return err
		}
	}
	sources, err := s.rdb.SMembers(ctx, s.keys.loaded()).Result()
	slices.Sort(sources)
	for _, source := range sources {
		if err := enc.Encode(line{Type: "loaded", Source: source}); err != nil {
			return err
		}
	}
	return err
}

func (s *Store) exportShard(ctx context.Context, sh int, enc *json.Encoder) (channels int, err error) {
	debts, err := s.openDebts(ctx, sh)
	if err != nil {
		return 0, err
	}
	pub := number(s.rdb.HGet(ctx, s.keys.state(sh), "pub").Val())
	ids, err := s.rdb.HKeys(ctx, s.keys.channels(sh)).Result()
	if err != nil {
		return 0, err
	}
	slices.Sort(ids)
	for _, id := range ids {
		r, _, err := s.read(ctx, bot.ChannelID([]byte(id)))
		if err != nil {
			return channels, err
		}
		c := channelLine{Adapter: r.channel.Adapter, Kind: r.channel.Kind, Workspace: r.channel.Workspace, Address: r.channel.Address, Name: r.channel.Name, Last: r.last, Subs: []subLine{}}
		for _, sub := range r.subs {
			l, err := s.exportSub(ctx, sh, sub, pub, debts)
			if err != nil {
				return channels, err
			}
			c.Subs = append(c.Subs, l)
		}
		if err := enc.Encode(line{Type: "channel", Channel: &c}); err != nil {
			return channels, err
		}
		channels++
	}
	letters, err := s.Letters(ctx, sh)
	for _, l := range letters {
		if err := enc.Encode(line{Type: "letter", Letter: &l}); err != nil {
			return channels, err
		}
	}
	return channels, err
}

func (s *Store) exportSub(ctx context.Context, sh int, sub bot.Subscription, pub int64, debts map[bot.SlotMember]bot.Owed) (subLine, error) {
	l := subLine{
		Ordinal: sub.ID.Ordinal, Series: sub.Series, Topics: sub.Topics, OnPublish: sub.Schedule.OnPublish, Cron: sub.Schedule.Cron, Zone: sub.Schedule.Zone,
		Style: sub.Style, Lang: sub.Lang, MaxItems: sub.MaxItems, Quiet: sub.Except.Quiet, Holidays: sub.Except.Holidays, State: sub.State, By: sub.By, Offered: max(pub, sub.Since),
	}
	if !sub.Schedule.OnPublish {
		slots, err := s.Slots(ctx, sh, []string{s.slotsOf(sub)[0].slot})
		if err != nil || len(slots) == 0 {
			return l, err
		}
		l.Offered, l.Fresh = max(slots[0].Upto, sub.Since), sub.SinceAt.UnixMilli() > 0 && slots[0].Last.Before(sub.SinceAt)
	}
	if debt, ok := debts[bot.SlotMember(sub.ID)]; ok {
		l.Offered, l.Fresh = min(l.Offered, debt.From), l.Fresh || debt.First
	}
	return l, nil
}

// openDebts is what subscriptions of a shard have not had: owed, or paged and not delivered yet.
func (s *Store) openDebts(ctx context.Context, sh int) (map[bot.SlotMember]bot.Owed, error) {
	t, _, err := s.Takeover(ctx, bot.Lease{Shard: sh})
	if err != nil {
		return nil, err
	}
	debts := t.Owed
	for _, page := range t.Pages {
		for i, e := range page.Entries {
			if o, ok := t.Ledger[bot.Place{Page: page.Number, Index: i}]; ok && o.State != bot.Queued && o.State != bot.Sending && o.State != bot.Uncertain {
				continue
			}
			debt, ok := debts[e.Member]
			if !ok {
				debt = bot.Owed{From: e.Recipe.From}
			}
			debts[e.Member] = bot.Owed{From: min(debt.From, e.Recipe.From), First: debt.First || e.Recipe.First}
		}
	}
	return debts, nil
}

// Letters lists a shard's dead letters, oldest first.
func (s *Store) Letters(ctx context.Context, shard int) ([]bot.DeadLetter, error) {
	stored, err := s.rdb.HGetAll(ctx, s.keys.letters(shard)).Result()
	if err != nil {
		return nil, fmt.Errorf("read dead letters of shard %d: %w", shard, err)
	}
	var letters []bot.DeadLetter
	for id, body := range stored {
		var l bot.DeadLetter
		if err := json.Unmarshal([]byte(body), &l); err != nil {
			return nil, fmt.Errorf("dead letter %s: %w", id, errDamaged)
		}
		letters = append(letters, l)
	}
	slices.SortFunc(letters, func(a, b bot.DeadLetter) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return letters, nil
}

// maxLine bounds one line of an import.
const maxLine = 1 << 20

// Import fills an empty store with what Export wrote. A store that holds anything is left alone.
func (s *Store) Import(ctx context.Context, r io.Reader) (channels int, err error) {
	if err := s.empty(ctx); err != nil {
		return 0, err
	}
	dec := json.NewDecoder(r)
	for n := 1; ; n++ {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			if n == 1 {
				return 0, errors.New("the file is empty")
			}
			return channels, nil
		} else if err != nil {
			return channels, fmt.Errorf("record %d: %w", n, err)
		}
		var l line
		if err := json.Unmarshal(raw, &l); err != nil || len(raw) > maxLine {
			return channels, fmt.Errorf("record %d is no line of an export: %w", n, errors.Join(err, errDamaged))
		}
		if n == 1 && (l.Type != exportFormat || l.Version != exportVersion) {
			return 0, fmt.Errorf("the file does not begin as an export of version %d does", exportVersion)
		}
		if err := s.importLine(ctx, l); err != nil {
			return channels, fmt.Errorf("record %d (%s): %w", n, l.Type, err)
		}
		if l.Type == "channel" {
			channels++
		}
	}
}

func (s *Store) empty(ctx context.Context) error {
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	found := head
	for sh := range s.keys.shards {
		n, err := s.rdb.HLen(ctx, s.keys.channels(sh)).Result()
		if err != nil {
			return err
		}
		found += n
	}
	if found > 0 {
		return errors.New("the store is not empty: import into a new data_dir, or under another redis.prefix")
	}
	return nil
}

func (s *Store) importLine(ctx context.Context, l line) error {
	switch {
	case l.Type == exportFormat:
		return nil
	case l.Type == "entry" && l.Entry != nil && l.Entry.Seq > 0:
		seq := strconv.FormatInt(l.Entry.Seq, 10)
		if err := s.rdb.HSet(ctx, s.keys.log(), seq, toJSON(l.Entry)).Err(); err != nil {
			return err
		}
		return s.rdb.Set(ctx, s.keys.head(), seq, 0).Err() // entries come in ascending order
	case l.Type == "seen" && l.Key != "":
		return s.rdb.HSet(ctx, s.keys.seen(), l.Key, l.Known).Err()
	case l.Type == "loaded" && l.Source != "":
		return s.rdb.SAdd(ctx, s.keys.loaded(), l.Source).Err()
	case l.Type == "channel" && l.Channel != nil:
		return s.importChannel(ctx, *l.Channel)
	case l.Type == "broadcast" && l.Broadcast != nil && l.Message != nil && broadcastNumber(l.Broadcast.ID) > 0:
		return s.importBroadcast(ctx, *l.Broadcast, *l.Message)
	case l.Type == "vote" && l.Vote != nil:
		return s.importVote(ctx, *l.Vote)
	case l.Type == "notice" && l.Notice != nil && l.Notice.ID != "":
		return s.importNotice(ctx, *l.Notice)
	case l.Type == "letter" && l.Letter != nil:
		id, err := bot.ParseSubscriptionID(l.Letter.Sub)
		if err != nil {
			return err
		}
		return s.rdb.HSet(ctx, s.keys.letters(s.keys.shardOf(id.Channel)), l.Letter.ID, toJSON(l.Letter)).Err()
	}
	return fmt.Errorf("%w: unknown or incomplete", errDamaged)
}

func (s *Store) importChannel(ctx context.Context, c channelLine) error {
	ch := bot.Channel{Adapter: c.Adapter, Kind: c.Kind, Workspace: c.Workspace, Address: c.Address, Name: c.Name}
	if ch.Adapter == "" || ch.Address == "" {
		return fmt.Errorf("%w: a channel without adapter or address", errDamaged)
	}
	now, err := s.Now(ctx)
	if err != nil {
		return err
	}
	return s.update(ctx, ch.ID(), func(r *record) error {
		*r = record{channel: ch, last: c.Last}
		for _, l := range c.Subs {
			sub := bot.Subscription{
				ID: bot.SubscriptionID{Channel: ch.ID(), Ordinal: l.Ordinal}, Series: l.Series, Topics: l.Topics,
				Schedule: bot.Schedule{OnPublish: l.OnPublish, Cron: l.Cron, Zone: l.Zone}, Style: l.Style, Lang: l.Lang, MaxItems: l.MaxItems, Except: bot.Except{Quiet: l.Quiet, Holidays: l.Holidays},
				State: l.State, By: l.By, Since: l.Offered,
			}
			if l.Fresh {
				sub.SinceAt = now
			}
			r.subs = append(r.subs, sub)
			r.last = max(r.last, l.Ordinal)
		}
		return nil
	})
}
