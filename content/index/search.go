package index

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"weeklybot/content"
	"weeklybot/content/internal/words"
)

const (
	defaultLimit = 50
	maxLimit     = 1000
	nearTopics   = 5
)

// What is hot is ranked by relevance, squared, × recency: an item that only mentions the topic does not pass those about it by being newer.
// Recency halves every halfLife, measured from the newest issue, but an old article never counts less than leastRecency: among
// old ones relevance decides, not whether they are five years old or six. Undated pages, which grow, count as one halfLife old.
const (
	halfLifeWeeks = 8
	leastRecency  = 0.25
	undated       = 0.5
)

// mostLiked is the factor that votes come near to, however many there are; votesHalf is how many go half of the way: one click must not
// decide, and a hundred need not be a hundred times as strong.
const (
	mostLiked = 1.5
	votesHalf = 3
)

// liked is the factor of an article with n net votes: 1 for none, between 2-mostLiked and mostLiked.
func liked(n int) float32 {
	x := float64(n)
	return float32(1 + (mostLiked-1)*x/(math.Abs(x)+votesHalf))
}

// How much more an item counts whose title, or text, holds a query of several words as it was typed, or the spelling of a topic that was
// typed: who asks for 树莓派 gets what is about embedded systems, but that first.
const (
	titleSaysJust = 1.3
	textSaysJust  = 1.15
	titleSpells   = 2
	textSpells    = 1.5
)

// rescored is how many of the best are looked at for the words as they were typed, when that may put others first.
const rescored = 200

// Search answers q. Every group of words must match an item, in its title, its section's heading or its text, nested entries
// included; one group of several may be matched by the name of the issue instead.
func (x *Index) Search(q content.Query) content.Result {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	a := x.ask(q.Text)
	c := x.scratch.Get().(*collector)
	defer x.scratch.Put(c)
	keep := limit
	if a.bySpelling() {
		keep = max(limit, rescored)
	}
	c.reset(x, keep, q.Hot, q.Votes)
	x.collect(c, a.groups)
	if a.loose != nil && c.total < minStrict {
		x.widen(c, a)
	}
	res := content.Result{Total: c.total, Hits: x.hits(c, a, limit)}
	if len(res.Hits) == 0 {
		res.Near, res.Popular = x.near(q, a)
	}
	return res
}

// widen adds what the loose reading finds behind what the strict one found.
func (x *Index) widen(c *collector, a asked) {
	c.reset(x, c.limit, c.hot, c.votes)
	x.collect(c, a.loose)
}

// collect runs the groups over every part.
func (x *Index) collect(c *collector, groups []group) {
	if len(groups) == 0 {
		return
	}
	matchers := make([]matcher, len(groups)*len(x.parts))
	idf := make([]float32, len(groups))
	for k, g := range groups {
		n := 0
		for p := range x.parts {
			if m := x.parts[p].seg.matcherFor(g); m != nil {
				matchers[p*len(groups)+k] = m
				n += m.cost()
			}
		}
		idf[k] = x.rarity(n)
	}
	for p := range x.parts {
		x.collectPart(c, p, groups, matchers[p*len(groups):][:len(groups)], idf)
	}
	c.closeGroups(x)
}

// rarity is the weight of a group that n documents match (BM25's idf): the fewer, the more each match says.
func (x *Index) rarity(n int) float32 {
	n = min(n, x.docs)
	return float32(math.Log(1 + (float64(x.docs)-float64(n)+0.5)/(float64(n)+0.5)))
}

func (x *Index) collectPart(c *collector, n int, groups []group, ms []matcher, idf []float32) {
	p := &x.parts[n]
	if len(groups) > 1 {
		for k, g := range groups {
			ms[k] = p.seg.withContext(ms[k], g)
		}
	}
	if slices.Contains(ms, nil) {
		return
	}
	c.part, c.recency = n, nil
	if c.hot {
		c.recency = p.recency
	}
	c.meeting.terms = c.meeting.terms[:0]
	for _, m := range ms {
		if cur, ok := m.(*cursor); ok {
			c.meeting.terms = append(c.meeting.terms, cur)
		}
	}
	switch {
	case len(ms) == 1 && len(c.meeting.terms) == 1 && c.meeting.terms[0].list.dense != nil:
		c.single(p, x.arts.group[n], c.meeting.terms[0].list.dense, idf[0])
	case len(c.meeting.terms) == len(ms):
		c.plain(p, x.arts.group[n], idf)
	default:
		c.several(p, x.arts.group[n], ms, idf)
	}
}

// bySpelling says whether the query is one topic by a spelling that may say more than the topic's name: 日志收集 for logging. Items that
// say just this come first. A short Latin one is an abbreviation, which says no more: k8s.
func (a *asked) bySpelling() bool {
	return len(a.groups) == 1 && a.groups[0].topic && a.groups[0].means != "" && utf8.RuneCountInString(a.whole) > 2 &&
		(a.whole[0] >= utf8.RuneSelf || strings.Contains(a.whole, " ") || len(a.whole) >= minSpelling)
}

const minSpelling = 5

// preferSpelled lifts the items that hold the words of text, and orders all by document.
func (x *Index) preferSpelled(list []found, text string) {
	slices.SortFunc(list, func(f, g found) int { return cmp.Or(cmp.Compare(f.part, g.part), cmp.Compare(f.doc, g.doc)) })
	spelling := spelled(queryWords(text))
	part, m := int32(-1), matcher(nil)
	for k := range list {
		f := &list[k]
		if f.part != part {
			part, m = f.part, x.parts[f.part].seg.matcherOf(spelling)
		}
		if m == nil || !m.has(f.doc) || !m.sure() {
			continue
		}
		if _, fields := m.value(); fields&inTitle != 0 {
			f.score *= titleSpells
		} else {
			f.score *= textSpells
		}
	}
}

// hits turns what was found into the answer, best first.
func (x *Index) hits(c *collector, a asked, limit int) []content.Hit {
	if a.bySpelling() {
		x.preferSpelled(c.best, a.whole)
	} else if len(a.groups) > 1 {
		for k := range c.best {
			c.best[k].score *= saysJust(x.item(c.best[k].ref), a.whole, c.best[k].shared(len(a.groups)))
		}
	}
	sortFound(c.best)
	c.best = c.best[:min(limit, len(c.best))]
	whys := map[uint64]string{} // few matches differ in where the words stand
	out := make([]content.Hit, 0, len(c.best))
	for _, f := range c.best {
		reason, ok := whys[f.where]
		if !ok {
			reason = why(a.groups, f.where)
			whys[f.where] = reason
		}
		seg := x.parts[f.part].seg
		out = append(out, content.Hit{
			Item: seg.item(f.doc), Section: seg.section(f.doc), Issue: seg.issue(f.doc).issue,
			Score: math.Round(float64(f.score)*1e4) / 1e4, Why: reason, Also: x.also(f.ref),
		})
	}
	return out
}

func sortFound(list []found) {
	slices.SortFunc(list, func(f, g found) int {
		if f.before(&g) {
			return -1
		}
		return 1 // no two are the same document
	})
}

// shared are the fields in which every group of n matches.
func (f *found) shared(n int) uint8 {
	fields := inTitle | inBody
	for k := range n {
		fields &= uint8(f.where >> (4 * k))
	}
	return fields
}

// saysJust looks for the whole query in the fields that hold all of its words.
func saysJust(it *content.Item, whole string, fields uint8) float32 {
	han := !strings.Contains(whole, " ")
	switch {
	case fields&inTitle != 0 && (han && strings.Contains(it.Title, whole) || !han && phraseIn(words.Fold(it.Title), whole)):
		return titleSaysJust
	case fields&inBody != 0 && han && strings.Contains(it.Text, whole): // a Latin phrase would need folded text, which costs
		return textSaysJust
	}
	return 1
}

func (x *Index) item(r ref) *content.Item { return x.parts[r.part].seg.item(r.doc) }

// also are the other places where the article of r stands, newest first.
func (x *Index) also(r ref) []content.Ref {
	group := x.arts.group[r.part][r.doc]
	if group == 0 {
		return nil
	}
	var out []content.Ref
	for _, m := range x.arts.members[group] {
		if p := &x.parts[m.part]; m != r && !p.dead.has(m.doc) {
			out = append(out, content.Ref{Item: p.seg.item(m.doc), Issue: p.seg.issue(m.doc).issue})
		}
	}
	slices.SortStableFunc(out, func(a, b content.Ref) int { return cmp.Compare(b.Issue.Date, a.Issue.Date) })
	return out
}

var fieldNames = [...]string{"title", "heading", "text", "issue"}

// why says which words matched where: "k8s → kubernetes (title, text) · 双栈 (title)".
func why(groups []group, where uint64) string {
	var b strings.Builder
	for k, g := range groups {
		if k > 0 {
			b.WriteString(" · ")
		}
		b.WriteString(g.typed)
		if g.means != "" {
			b.WriteString(" → " + g.means)
		}
		sep := " ("
		for bit, name := range fieldNames {
			if where>>(4*k)&(1<<bit) != 0 {
				b.WriteString(sep + name)
				sep = ", "
			}
		}
		if sep != " (" {
			b.WriteByte(')')
		}
	}
	return b.String()
}

func dayOf(t time.Time) int32 { return int32(t.Unix() / int64(24*time.Hour/time.Second)) }

// recency is the factor of each section of a segment.
func (x *Index) recency(s *segment) []float32 {
	out := make([]float32, len(s.sections))
	for n := range s.sections {
		day := s.issues[s.sections[n].issue].day
		if day == noDay {
			out[n] = undated
			continue
		}
		weeks := float64(x.newest-day) / 7
		out[n] = float32(max(leastRecency, math.Exp2(-weeks/halfLifeWeeks)))
	}
	return out
}
