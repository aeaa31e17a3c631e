package index

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"weeklybot/content"
)

const (
	risingWeeks = 4   // the newest weeks, set against as many before
	maxTrend    = 520 // weeks
)

// Rising names the topics that rise most: named in more items of the newest four weeks than of the four before, measured from
// the newest issue. Topics that do not rise follow, the most frequent first; topics not named in the newest weeks are left out.
// Without a single date all items count as newest.
func (x *Index) Rising(limit int) []content.TopicCount {
	counts := map[string]*content.TopicCount{}
	seen := map[uint32]bool{}
	for n := range x.parts {
		p := &x.parts[n]
		for i := range p.seg.issues {
			at := &p.seg.issues[i]
			week := x.week(at.day)
			if week < 0 || week >= 2*risingWeeks {
				continue
			}
			for d := at.first; d < at.end; d++ {
				if g := x.arts.group[n][d]; p.dead.has(d) || g != 0 && seen[g] {
					continue
				} else if g != 0 {
					seen[g] = true
				}
				tally(counts, p.seg.item(d).Topics, week < risingWeeks)
			}
		}
	}
	return ranked(counts, limit)
}

// week is how many weeks before the newest issue a day lies; -1 when that is unknown.
func (x *Index) week(day int32) int {
	switch {
	case x.newest == noDay:
		return 0
	case day == noDay:
		return -1
	}
	return int(x.newest-day) / 7
}

func tally(counts map[string]*content.TopicCount, topics []string, recent bool) {
	for _, t := range topics {
		c := counts[t]
		if c == nil {
			c = &content.TopicCount{Topic: t}
			counts[t] = c
		}
		if recent {
			c.Recent++
		} else {
			c.Before++
		}
	}
}

// ranked orders by how unlikely the rise is by chance: the difference over its standard deviation.
func ranked(counts map[string]*content.TopicCount, limit int) []content.TopicCount {
	var out []content.TopicCount
	for _, c := range counts {
		if c.Recent == 0 {
			continue
		}
		c.Score = float64(c.Recent-c.Before) / math.Sqrt(float64(c.Recent+c.Before)+1)
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b content.TopicCount) int {
		return cmp.Or(cmp.Compare(max(b.Score, 0), max(a.Score, 0)), cmp.Compare(b.Recent, a.Recent), cmp.Compare(a.Topic, b.Topic))
	})
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out
}

// Trend counts the articles that name topic in each of the last weeks, the oldest first, up to the newest issue. A topic that
// nobody listed is searched for as it is written. weeks is at most 520.
func (x *Index) Trend(topic string, weeks int) []int {
	weeks = max(0, min(weeks, maxTrend))
	out := make([]int, weeks)
	if weeks == 0 {
		return out
	}
	c := x.scratch.Get().(*collector)
	defer x.scratch.Put(c)
	c.reset(x, x.docs+1, false, nil)
	c.count = func(day int32) {
		if w := x.week(day); w >= 0 && w < weeks {
			out[weeks-1-w]++
		}
	}
	x.collect(c, x.ask(topic).groups)
	c.count = nil
	return out
}

// near are the nearest topics that items have, as they are shown; the most frequent ones when there is none, or q says nothing.
func (x *Index) near(q content.Query, a asked) (names []string, popular bool) {
	lang := q.Lang
	if lang == "" {
		lang = "en"
		if strings.IndexFunc(q.Text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) >= 0 {
			lang = "zh"
		}
	}
	add := func(topic string) {
		if len(names) < nearTopics && x.has(topicMark+topic) > 0 && !slices.Contains(names, topic) {
			names = append(names, topic)
		}
	}
	if len(a.groups) > 0 {
		for _, t := range x.topics.Near(a.whole, 4*nearTopics) { // with slips mended
			add(t)
		}
	}
	if popular = len(names) == 0; popular {
		for _, t := range x.popular() {
			add(t.Topic)
		}
	}
	for k, t := range names {
		names[k] = x.topics.Shown(t, lang)
	}
	return names, popular
}

// countTopics is how many documents name each topic, most first.
func (x *Index) countTopics() []content.TopicCount {
	var out []content.TopicCount
	for _, t := range x.topics.Canonicals() {
		if n := x.has(topicMark + t); n > 0 {
			out = append(out, content.TopicCount{Topic: t, Recent: n})
		}
	}
	slices.SortStableFunc(out, func(a, b content.TopicCount) int { return cmp.Compare(b.Recent, a.Recent) })
	return out
}

// Popular names the topics with the most items, most first; Recent is the number of items.
func (x *Index) Popular(limit int) []content.TopicCount {
	all := x.popular()
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	return slices.Clone(all)
}
