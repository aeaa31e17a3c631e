package digest

import (
	"cmp"
	"slices"

	"weeklybot/bot"
	"weeklybot/content"
)

// A pick is what a digest takes from one issue.
type pick struct {
	issue *content.Issue
	parts []part
	left  int // items that a limit left out
}

// A part is what a digest takes from one section; never empty.
type part struct {
	section *content.Section
	items   []*content.Item
}

// newPick takes the items that want accepts. Sections that surround the news are left out, and those without items.
func newPick(i *content.Issue, want func(*content.Item) bool) *pick {
	p := &pick{issue: i}
	for s := range i.Sections {
		section := &i.Sections[s]
		if section.Kind == content.SectionMeta {
			continue
		}
		var items []*content.Item
		for k := range section.Items {
			if want(&section.Items[k]) {
				items = append(items, &section.Items[k])
			}
		}
		if len(items) > 0 {
			p.parts = append(p.parts, part{section, items})
		}
	}
	return p
}

func everything(*content.Item) bool { return true }

// about accepts the items about one of topics; none = everything.
func about(topics []string) func(*content.Item) bool {
	if len(topics) == 0 {
		return everything
	}
	return func(it *content.Item) bool {
		return slices.ContainsFunc(it.Topics, func(t string) bool { return slices.Contains(topics, t) })
	}
}

func (p *pick) count() int {
	n := 0
	for _, s := range p.parts {
		n += len(s.items)
	}
	return n
}

func count(list []*pick) int {
	n := 0
	for _, p := range list {
		n += p.count()
	}
	return n
}

// A choice holds the issues of a digest by key: the IDs of the items to take, nil for all.
type choice map[string]map[string]bool

// choose takes from the Library what a recipe asks for, the newest issue first.
func choose(r bot.Recipe, entries []bot.Entry, lib *content.Library) []*pick {
	chosen := choice{}
	for _, e := range entries {
		if wanted(r, e) && lib.Issue(e.Key) != nil {
			chosen.add(e.Key, e.Items)
		}
	}
	if r.First {
		chosen.addFirsts(r, entries, lib)
	}
	var list []*pick
	for key, ids := range chosen {
		matches := about(r.Topics)
		p := newPick(lib.Issue(key), func(it *content.Item) bool { return (ids == nil || ids[it.ID]) && matches(it) })
		if len(p.parts) > 0 {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *pick) int {
		return cmp.Or(cmp.Compare(b.issue.Date, a.issue.Date), cmp.Compare(a.issue.Key(), b.issue.Key()))
	})
	return list
}

func wanted(r bot.Recipe, e bot.Entry) bool {
	return e.Seq > r.From && e.Seq <= r.Upto && !e.Back && inSeries(r, e.Series)
}

func inSeries(r bot.Recipe, series string) bool {
	return len(r.Series) == 0 || slices.Contains(r.Series, series)
}

// add takes items of an issue, or all of them.
func (c choice) add(key string, items []string) {
	ids, taken := c[key]
	if len(items) == 0 || taken && ids == nil {
		c[key] = nil
		return
	}
	if ids == nil {
		ids = make(map[string]bool, len(items))
		c[key] = ids
	}
	for _, id := range items {
		ids[id] = true
	}
}

// addFirsts takes the newest issue of each series that has something about the recipe's topics; of a growing page its first items. What the
// catalogue did not know yet at r.Upto comes with a later digest, so it is passed over however late this one is composed.
func (c choice) addFirsts(r bot.Recipe, entries []bot.Entry, lib *content.Library) {
	known, later := whenKnown(r, entries)
	done := make(map[string]bool)
	for _, i := range lib.Issues() {
		if done[i.Series] || !inSeries(r, i.Series) || entries != nil && !known[i.Key()] {
			continue
		}
		matches := about(r.Topics)
		p := newPick(i, func(it *content.Item) bool { return matches(it) && !later[it.ID] })
		if len(p.parts) == 0 {
			continue
		}
		done[i.Series] = true
		var items []string
		if i.Kind == content.KindHotTopics {
			items = p.ids(hotPageFirst)
		}
		c.add(i.Key(), items)
	}
}

// whenKnown sorts what the catalogue holds by a recipe's end: keys of the issues known by then, and IDs of items that pages got later.
func whenKnown(r bot.Recipe, entries []bot.Entry) (known, later map[string]bool) {
	known, later = make(map[string]bool), make(map[string]bool)
	for _, e := range entries {
		if e.Seq <= r.Upto {
			known[e.Key] = true
			continue
		}
		for _, id := range e.Items {
			later[id] = true
		}
	}
	return known, later
}

// ids names the first n items.
func (p *pick) ids(n int) []string {
	var ids []string
	for _, s := range p.parts {
		for _, it := range s.items {
			if len(ids) < n {
				ids = append(ids, it.ID)
			}
		}
	}
	return ids
}

// spread cuts the picks down to limit items (0 = no limit) so that every section keeps its first: one item of each section, then the
// second of each, and so on.
func spread(list []*pick, limit int) {
	if limit <= 0 || count(list) <= limit {
		return
	}
	quota := make(map[*content.Section]int)
	for round, given := 0, 0; given < limit; round++ {
		for _, p := range list {
			for _, s := range p.parts {
				if given < limit && round < len(s.items) {
					quota[s.section]++
					given++
				}
			}
		}
	}
	for _, p := range list {
		before := p.count()
		var parts []part
		for _, s := range p.parts {
			if n := quota[s.section]; n > 0 {
				parts = append(parts, part{s.section, s.items[:n]})
			}
		}
		p.parts = parts
		p.left = before - p.count()
	}
}
