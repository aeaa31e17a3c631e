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

	meeting meeting

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
		score *= score * c.recency[p.seg.docs[doc]]
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
	f := found{ref{int32(c.part), doc}, score, where, p.seg.issue(doc).day}
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
		return c.votes[p.seg.item(doc).ID]
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

// candidate is a document that every term asked for so far holds.
type candidate struct {
	doc   uint32
	score float32
	where uint64
}

// candidatesAtOnce is how many documents of the rarest term are looked for in the others together: as many as fit into the fastest memory.
const candidatesAtOnce = 256

// meeting walks the documents that hold all of some terms, some at a time: each term narrows down many candidates before the next is asked.
type meeting struct {
	terms []*cursor
	idf   []float32 // by term; nil when scores are not wanted
	order []int     // of the terms, the rarest first
	room  [candidatesAtOnce]candidate
}

func (m *meeting) begin(idf []float32) {
	m.idf = idf
	m.order = m.order[:0]
	for k := range m.terms {
		m.order = append(m.order, k)
	}
	slices.SortFunc(m.order, func(a, b int) int { return m.terms[a].cost() - m.terms[b].cost() })
}

// scale is what the weights of term k count.
func (m *meeting) scale(k int) float32 {
	if m.idf == nil {
		return 0
	}
	return m.idf[k] / maxWeight
}

// next gives the next documents, valid until the next call; ok is false at the end. Their scores are the sums of the terms' weights.
func (m *meeting) next() (found []candidate, ok bool) {
	lead := m.order[0]
	var also *dense
	if len(m.order) > 1 {
		if also = m.terms[m.order[1]].list.dense; also != nil && also.bits == nil {
			also = nil
		}
	}
	found = m.terms[lead].read(m.room[:0], also, lead, m.scale(lead))
	ok = len(found) > 0
	for _, k := range m.order[1:] {
		found = m.terms[k].narrow(found, k, m.scale(k))
	}
	return found, ok
}

// plain is for groups of one term each, which is what most queries come to.
func (c *collector) plain(p *part, articleOf []uint32, idf []float32) {
	c.meeting.begin(idf)
	for {
		found, ok := c.meeting.next()
		for _, f := range found {
			if !p.dead.has(f.doc) {
				c.take(p, articleOf[f.doc], f.doc, f.score, f.where)
			}
		}
		if !ok {
			return
		}
	}
}

// single is plain for one term that many documents hold: most are seen to be no better than those found, by their weight alone, and only counted.
func (c *collector) single(p *part, articleOf []uint32, d *dense, idf float32) {
	var walk denseCursor
	var room [candidatesAtOnce]uint32
	for walk.k < d.n {
		from := walk.k
		for j, doc := range walk.docs(d, room[:]) {
			score := float32(d.weights[from+j]) * (idf / maxWeight)
			lifted := score * c.lift
			if c.recency != nil {
				lifted *= score * c.recency[p.seg.docs[doc]]
			}
			if p.dead.has(doc) {
				continue
			}
			if articleOf[doc] == 0 && c.hopeless(lifted) {
				c.total++
				continue
			}
			_, fields := d.posting(from + j)
			c.take(p, articleOf[doc], doc, score, uint64(fields))
		}
	}
}

// several is the general way. What must be there whatever else is leads, unless something is seldomer.
func (c *collector) several(p *part, articleOf []uint32, ms []matcher, idf []float32) {
	rarest := slices.MinFunc(ms, func(a, b matcher) int { return a.cost() - b.cost() })
	if c.required(ms); len(c.meeting.terms) > 0 && c.meeting.terms[c.meeting.order[0]].cost() <= rarest.cost() {
		for {
			found, ok := c.meeting.next()
			for _, f := range found {
				c.weigh(p, articleOf, ms, idf, f.doc)
			}
			if !ok {
				return
			}
		}
	}
	for d := rarest.next(); d != noDoc; d = rarest.next() {
		c.weigh(p, articleOf, ms, idf, d)
	}
}

// required makes the meeting one of the terms that every match must hold.
func (c *collector) required(ms []matcher) {
	c.meeting.terms = c.meeting.terms[:0]
	for _, m := range ms {
		if w, ok := m.(weighted); ok {
			m = w.matcher
		}
		switch m := m.(type) {
		case *cursor:
			c.meeting.terms = append(c.meeting.terms, newCursor(m.list))
		case *all:
			for _, p := range m.parts {
				c.meeting.terms = append(c.meeting.terms, newCursor(p.list))
			}
		}
	}
	c.meeting.begin(nil)
}

// weigh takes a document if all of ms match it.
func (c *collector) weigh(p *part, articleOf []uint32, ms []matcher, idf []float32, doc uint32) {
	if p.dead.has(doc) {
		return
	}
	for _, m := range ms {
		if m.doc() != doc && !m.has(doc) {
			return
		}
	}
	if score, where, ok := together(ms, idf); ok {
		c.take(p, articleOf[doc], doc, score, where)
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

// hopeless says that a document of this score, behind all of this part so far, is none of the best: documents come newest first, so
// of two with one score the one found before stays.
func (c *collector) hopeless(score float32) bool {
	return len(c.best) == c.limit && (score < c.least || score == c.least && int(c.best[0].part) == c.part)
}
