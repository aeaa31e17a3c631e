package index

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"weeklybot/content"
	"weeklybot/content/internal/words"
)

const (
	defaultLimit = 50
	maxLimit     = 1000
	nearTopics   = 5
)

// Recency halves every halfLife, measured from the newest issue, but an old article never counts less than leastRecency: among
// old ones relevance decides, not whether they are five years old or six. Undated pages, which grow, count as one halfLife old.
const (
	halfLifeWeeks = 8
	leastRecency  = 0.25
	undated       = 0.5
)

// How much more an item counts whose title, or text, holds a query of several words as it was typed.
const (
	titleSaysJust = 1.3
	textSaysJust  = 1.15
)

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
	c.reset(x, limit, q.Hot)
	x.collect(c, a.groups)
	if a.loose != nil && c.total < minStrict {
		x.widen(c, a)
	}
	res := content.Result{Total: c.total, Hits: x.hits(c, a)}
	if len(res.Hits) == 0 {
		res.Near = x.near(q)
	}
	return res
}

// widen adds what the loose reading finds behind what the strict one found.
func (x *Index) widen(c *collector, a asked) {
	c.reset(x, c.limit, c.hot)
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
	plain := make([]*cursor, 0, 2)
	for _, m := range ms[:min(len(ms), 2)] {
		if cur, ok := m.(*cursor); ok {
			plain = append(plain, cur)
		}
	}
	switch {
	case len(ms) == 1 && len(plain) == 1:
		c.single(p, x.arts.group[n], plain[0], idf[0])
	case len(ms) == 2 && len(plain) == 2:
		c.pair(p, x.arts.group[n], plain[0], plain[1], idf)
	default:
		c.several(p, x.arts.group[n], ms, idf)
	}
}

// several is the general way: the rarest matcher leads, the others follow.
func (c *collector) several(p *part, articleOf []uint32, ms []matcher, idf []float32) {
	order := make([]int, len(ms))
	for k := range order {
		order[k] = k
	}
	slices.SortFunc(order, func(a, b int) int { return ms[a].cost() - ms[b].cost() })
	lead := ms[order[0]]
docs:
	for d := lead.next(); d != noDoc; {
		for _, k := range order[1:] {
			if there := ms[k].seek(d); there != d {
				d = lead.seek(there)
				continue docs
			}
		}
		score, where, own := float32(0), uint64(0), uint8(0)
		for k, m := range ms {
			v, f := m.value()
			score += v * idf[k]
			where |= uint64(f) << (4 * k)
			own |= f &^ inContext
		}
		if own != 0 && !p.dead.has(d) {
			c.take(p, articleOf[d], d, score, where)
		}
		d = lead.next()
	}
}

// pair is several for two plain terms, which is what most queries of more than one come to: without interfaces.
func (c *collector) pair(p *part, articleOf []uint32, first, second *cursor, idf []float32) {
	lead, other := first, second
	if lead.list.n > other.list.n {
		lead, other = other, lead
	}
	for d := lead.next(); d != noDoc; {
		if there := other.seek(d); there != d {
			d = lead.seek(there)
			continue
		}
		if !p.dead.has(d) {
			score := (float32(first.weight)*idf[0] + float32(second.weight)*idf[1]) * (1.0 / maxWeight)
			c.take(p, articleOf[d], d, score, uint64(first.fields)|uint64(second.fields)<<4)
		}
		d = lead.next()
	}
}

// single is the fast way for one term: most documents are seen to be no better than those found and only counted.
func (c *collector) single(p *part, articleOf []uint32, cur *cursor, idf float32) {
	b := cur.list.b
	at, total := uint32(0), 0
	for i := 0; i < len(b); i++ {
		var v uint32
		v, i = step(b, i)
		at += v >> fieldBits
		score := float32(b[i]) * (1.0 / maxWeight) * idf
		if c.recency != nil {
			score *= c.recency[p.seg.docs[at].issue]
		}
		switch {
		case p.dead != nil && p.dead.has(at):
		case articleOf[at] == 0 && c.hopeless(score):
			total++
		default:
			c.add(p, articleOf[at], at, score, uint64(v)&(1<<fieldBits-1))
		}
	}
	c.total += total
}

// hopeless says that a document of this score, behind all of this part so far, is none of the best: documents come newest first, so
// of two with one score the one found before stays.
func (c *collector) hopeless(score float32) bool {
	return len(c.best) == c.limit && (score < c.least || score == c.least && int(c.best[0].part) == c.part)
}

// found is one document on its way to be a hit.
type found struct {
	ref
	score float32
	where uint64 // fields by group, four bits each
	day   int32
}

// before says whether f is to be shown before o: better, newer, earlier in the part. It is no cmp.Or of comparisons, since it is what
// a search over a frequent word does most.
func (f *found) before(o *found) bool {
	switch {
	case f.score != o.score:
		return f.score > o.score
	case f.day != o.day:
		return f.day > o.day
	case f.part != o.part:
		return f.part > o.part
	}
	return f.doc < o.doc
}

// collector keeps the best documents, one of each article. It is scratch memory: one search at a time.
type collector struct {
	limit   int
	hot     bool
	total   int
	least   float32 // score that a document must reach now
	best    []found // a heap, the worst first
	part    int
	recency []float32

	article []found // by group: its best document
	touched []uint32
}

func (c *collector) reset(x *Index, limit int, hot bool) {
	c.limit, c.hot, c.total, c.least = limit, hot, 0, 0
	c.best, c.touched = c.best[:0], c.touched[:0]
	if len(c.article) < len(x.arts.members) {
		c.article = make([]found, len(x.arts.members))
	}
}

// take is add for a score that knows no age yet.
func (c *collector) take(p *part, article, doc uint32, score float32, where uint64) {
	if c.recency != nil {
		score *= c.recency[p.seg.docs[doc].issue]
	}
	if article == 0 && c.hopeless(score) {
		c.total++
		return
	}
	c.add(p, article, doc, score, where)
}

func (c *collector) add(p *part, article, doc uint32, score float32, where uint64) {
	f := found{ref{int32(c.part), doc}, score, where, p.seg.issues[p.seg.docs[doc].issue].day}
	if article == 0 {
		c.total++
		c.keep(f)
		return
	}
	old := &c.article[article]
	if old.doc == 0 {
		c.total++
		c.touched = append(c.touched, article)
		*old = f
	} else if f.before(old) {
		*old = f
	}
}

// closeGroups lets the best document of each article compete.
func (c *collector) closeGroups(x *Index) {
	for _, g := range c.touched {
		c.keep(c.article[g])
		c.article[g] = found{}
	}
	c.touched = c.touched[:0]
}

func (c *collector) keep(f found) {
	if len(c.best) < c.limit {
		c.best = append(c.best, f)
		c.up(len(c.best) - 1)
	} else if f.before(&c.best[0]) {
		c.best[0] = f
		c.down(0)
	}
	if len(c.best) == c.limit {
		c.least = c.best[0].score
	}
}

func (c *collector) up(k int) {
	for k > 0 {
		up := (k - 1) / 2
		if !c.best[up].before(&c.best[k]) {
			return
		}
		c.best[up], c.best[k] = c.best[k], c.best[up]
		k = up
	}
}

func (c *collector) down(k int) {
	for {
		worst := k
		for _, child := range [...]int{2*k + 1, 2*k + 2} {
			if child < len(c.best) && c.best[worst].before(&c.best[child]) {
				worst = child
			}
		}
		if worst == k {
			return
		}
		c.best[k], c.best[worst] = c.best[worst], c.best[k]
		k = worst
	}
}

// hits turns what was found into the answer, best first.
func (x *Index) hits(c *collector, a asked) []content.Hit {
	if len(a.groups) > 1 {
		for k := range c.best {
			c.best[k].score *= saysJust(x.item(c.best[k].ref), a.whole, c.best[k].shared(len(a.groups)))
		}
	}
	sortFound(c.best)
	whys := map[uint64]string{} // few matches differ in where the words stand
	out := make([]content.Hit, 0, len(c.best))
	for _, f := range c.best {
		reason, ok := whys[f.where]
		if !ok {
			reason = why(a.groups, f.where)
			whys[f.where] = reason
		}
		seg := x.parts[f.part].seg
		d := &seg.docs[f.doc]
		out = append(out, content.Hit{
			Item: d.item, Section: seg.section(f.doc), Issue: seg.issues[d.issue].issue,
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

func (x *Index) item(r ref) *content.Item { return x.parts[r.part].seg.docs[r.doc].item }

// also are the other places where the article of r stands, newest first.
func (x *Index) also(r ref) []content.Ref {
	group := x.arts.group[r.part][r.doc]
	if group == 0 {
		return nil
	}
	var out []content.Ref
	for _, m := range x.arts.members[group] {
		if p := &x.parts[m.part]; m != r && !p.dead.has(m.doc) {
			d := &p.seg.docs[m.doc]
			out = append(out, content.Ref{Item: d.item, Issue: p.seg.issues[d.issue].issue})
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

// recency is the factor of each issue of a segment.
func (x *Index) recency(s *segment) []float32 {
	out := make([]float32, len(s.issues))
	for n := range s.issues {
		day := s.issues[n].day
		if day == noDay {
			out[n] = undated
			continue
		}
		weeks := float64(x.newest-day) / 7
		out[n] = float32(max(leastRecency, math.Exp2(-weeks/halfLifeWeeks)))
	}
	return out
}
