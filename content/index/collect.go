package index

import "slices"

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
	x       *Index
	votes   map[string]int  // nil when none count
	lift    float32         // how much votes can raise a score
	count   func(day int32) // not nil: documents are told to it one by one, and none is kept

	article []found // by group: its best document
	touched []uint32
}

// reset prepares for a search of x. votes count only when it is hot.
func (c *collector) reset(x *Index, limit int, hot bool, votes map[string]int) {
	c.x, c.limit, c.hot, c.total, c.least = x, limit, hot, 0, 0
	c.votes, c.lift = nil, 1
	if hot && len(votes) > 0 {
		c.votes, c.lift = votes, mostLiked
	}
	c.best, c.touched = c.best[:0], c.touched[:0]
	if len(c.article) < len(x.arts.members) {
		c.article = make([]found, len(x.arts.members))
	}
}

// take is add for a score that knows no age yet.
func (c *collector) take(p *part, article, doc uint32, score float32, where uint64) {
	if c.recency != nil {
		score *= score * c.recency[p.seg.docs[doc].issue]
	}
	if article == 0 && c.hopeless(score*c.lift) {
		c.total++
		return
	}
	c.add(p, article, doc, score, where)
}

func (c *collector) add(p *part, article, doc uint32, score float32, where uint64) {
	if c.votes != nil {
		score *= liked(c.votesFor(p, article, doc))
	}
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

// votesFor are the votes on a document, or on all documents of its article.
func (c *collector) votesFor(p *part, article, doc uint32) int {
	if article == 0 {
		return c.votes[p.seg.docs[doc].item.ID]
	}
	sum := 0
	members := c.x.arts.members[article]
	for k, m := range members {
		id := c.x.item(m).ID
		n := c.votes[id]
		if n != 0 && !slices.ContainsFunc(members[:k], func(o ref) bool { return c.x.item(o).ID == id }) { // an ID may stand in several issues
			sum += n
		}
	}
	return sum
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
	if c.count != nil {
		c.count(f.day)
		return
	}
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
		if !p.dead.has(d) {
			if score, where, ok := together(ms, idf); ok {
				c.take(p, articleOf[d], d, score, where)
			}
		}
		d = lead.next()
	}
}

// together is the score of the document at which all of ms stand, and the fields by matcher; ok when it does match, not only by the name
// of its issue.
func together(ms []matcher, idf []float32) (score float32, where uint64, ok bool) {
	own := uint8(0)
	for k, m := range ms {
		if !m.sure() {
			return 0, 0, false
		}
		v, f := m.value()
		score += v * idf[k]
		where |= uint64(f) << (4 * k)
		own |= f &^ inContext
	}
	return score, where, own != 0
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
			score *= score * c.recency[p.seg.docs[at].issue]
		}
		switch {
		case p.dead != nil && p.dead.has(at):
		case articleOf[at] == 0 && c.hopeless(score*c.lift):
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
