package index

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"weeklybot/content"
	"weeklybot/content/internal/words"
)

// Bounds of a query: what is behind them is not read.
const (
	maxQueryRunes = 200
	maxGroups     = 16
	maxExpansions = 48  // terms that one prefix stands for
	maxOfChar     = 256 // terms that one Han character stands for
	minPrefix     = 4   // letters that must be typed before an unknown word is read as a beginning
	minTypo       = 4   // letters a mistyped word must have
	slipSeldom    = 3   // documents that may hold a word which is read as a slip of a topic's name too
	slipRatio     = 50  // how many times as many hold the right one
	minFreeTypo   = 6   // letters it must have to be read as something else than the name of a topic
)

// How much a match counts that is not what was typed.
const (
	exact       = 1.0
	inflected   = 0.85
	joinedWords = 0.95
	guessed     = 0.7
	loosely     = 0.5
	contextual  = 0.12
)

// group is one thing that the query asks for; an item must match each. Its alternatives are ways to match.
type group struct {
	typed string // as shown in Why
	means string // what it was read as, when that differs
	alts  []alternative
	topic bool
	plain string // for a topic whose name is an everyday word too: that word
}

// alternative is one way to match a group: all terms must be there, and the phrase too if there is one.
type alternative struct {
	terms  []string
	phrase string // folded; "" = the terms alone decide
	weight float32
}

// asked is a query taken apart.
type asked struct {
	groups []group
	loose  []group // the same, with long Han runs read as several words; nil when there are none
	whole  string  // the folded text, for items that say just this
}

// word is one token of the query, in a form that can be kept.
type word struct {
	text   string
	kind   words.Kind
	spaced bool // apart from the token before
	star   bool // kube*
	start  int
	end    int
}

func (x *Index) ask(text string) asked {
	text = clip(text, maxQueryRunes)
	ws := queryWords(text)
	ws, fixed := x.correct(ws)
	if fixed {
		text = rejoin(ws)
		ws = keepStars(queryWords(text), ws)
	}
	q := asked{whole: words.Fold(text)}
	if isParticle(q.whole) {
		return q
	}
	p := queryParser{x: x, ws: ws, text: text}
	p.parse()
	q.groups = dropIdle(p.groups)
	q.groups = q.groups[:min(len(q.groups), maxGroups)]
	if p.split {
		q.loose = loosen(x, q.groups)
	}
	return q
}

// clip cuts a text that is too long, between words if it has any.
func clip(text string, runes int) string {
	if len(text) <= runes {
		return text
	}
	n := 0
	for at, r := range text {
		if n == runes {
			if space := strings.LastIndexFunc(text[:at], unicode.IsSpace); space > 0 && !words.IsChar(r) {
				return text[:space]
			}
			return text[:at]
		}
		n++
	}
	return text
}

func queryWords(text string) []word {
	var out []word
	words.All(text, func(t words.Token) {
		out = append(out, word{
			text: string(t.Text), kind: t.Kind, spaced: t.Spaced, star: t.End < len(text) && text[t.End] == '*', start: t.Start, end: t.End,
		})
	})
	return out
}

// rejoin writes corrected words as text again.
func rejoin(ws []word) string {
	var b strings.Builder
	for k, w := range ws {
		if k > 0 && w.spaced {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	return b.String()
}

func keepStars(ws, from []word) []word {
	if len(ws) == len(from) {
		for k := range ws {
			ws[k].star = from[k].star
		}
	}
	return ws
}

// queryParser turns words into groups.
type queryParser struct {
	x      *Index
	ws     []word
	text   string
	groups []group
	split  bool // a Han run is long enough to be several words
}

func (p *queryParser) parse() {
	m := content.Matcher{AnyCase: true}
	mentions := longest(m.Mentions(p.x.topics, p.text))
	mentions = p.keepWhole(mentions)
	for k := 0; k < len(p.ws) && len(p.groups) <= 2*maxGroups; {
		if len(mentions) > 0 && mentions[0].First == k {
			p.topicGroup(mentions[0])
			k = mentions[0].Last + 1
			mentions = mentions[1:]
			continue
		}
		stop := len(p.ws)
		if len(mentions) > 0 {
			stop = mentions[0].First
		}
		if p.ws[k].kind == words.Word {
			p.wordGroup(k, stop)
			k++
			continue
		}
		end := p.runEnd(k, stop)
		p.hanGroup(p.ws[k:end])
		k = end
	}
	p.everyday()
}

// longest leaves out mentions inside others and those that a longer one of the same beginning covers.
func longest(mentions []content.Mention) []content.Mention {
	var out []content.Mention
	for _, m := range mentions {
		if !m.Nested {
			out = append(out, m)
		}
	}
	return out
}

// runEnd is the end of the Han run that begins at k.
func (p *queryParser) runEnd(k, stop int) int {
	end := k + 1
	for end < stop && p.ws[end].kind == words.Char && !p.ws[end].spaced {
		end++
	}
	return end
}

// keepWhole drops the mentions inside a Han run that would leave a single character of it behind: 安全带 is no 安全 with
// something else.
func (p *queryParser) keepWhole(mentions []content.Mention) []content.Mention {
	covered := make([]bool, len(p.ws))
	for _, m := range mentions {
		for k := m.First; k <= m.Last; k++ {
			covered[k] = true
		}
	}
	for a := 0; a < len(p.ws); {
		if p.ws[a].kind != words.Char {
			a++
			continue
		}
		b := p.runEnd(a, len(p.ws))
		if p.leavesOne(a, b, covered) {
			mentions = slices.DeleteFunc(mentions, func(m content.Mention) bool { return m.First >= a && m.Last < b })
		}
		a = b
	}
	return mentions
}

// leavesOne says whether a single character that is no particle stands uncovered between covered ones or borders of [a, b).
func (p *queryParser) leavesOne(a, b int, covered []bool) bool {
	gap := 0
	for k := a; k <= b; k++ {
		if k < b && !covered[k] && !isParticle(p.ws[k].text) && !p.isWhere(k) {
			gap++
			continue
		}
		if gap == 1 {
			return true
		}
		gap = 0
	}
	return false
}

// isWhere says whether word k is the 上 of k8s上部署: right behind a Latin word.
func (p *queryParser) isWhere(k int) bool {
	return k > 0 && p.ws[k-1].kind == words.Word && strings.Contains("上中下里内", p.ws[k].text)
}

func (p *queryParser) topicGroup(m content.Mention) {
	name := p.x.topics.Name(m.Topic)
	g := group{typed: p.text[m.Start:m.End], topic: true, alts: []alternative{{terms: []string{topicMark + name}, weight: exact}}}
	if !strings.EqualFold(g.typed, name) {
		g.means = name
	}
	if m.Cased && m.First == m.Last {
		g.plain = p.ws[m.First].text
	}
	p.groups = append(p.groups, g)
}

// everyday lets go, rest and metal match as the everyday words too when other words of the query make the matter clear.
func (p *queryParser) everyday() {
	if len(p.groups) < 2 {
		return
	}
	for k := range p.groups {
		if g := &p.groups[k]; g.plain != "" {
			for _, a := range p.x.wordAlts(g.plain) {
				a.weight = loosely
				g.alts = append(g.alts, a)
			}
		}
	}
}

// wordGroup is the Latin word k, with its inflections, and written together with its neighbours.
func (p *queryParser) wordGroup(k, stop int) {
	w := p.ws[k]
	g := group{typed: w.text}
	if w.star {
		g.alts = p.x.prefixAlts(w.text, exact, maxExpansions)
		p.groups = append(p.groups, g)
		return
	}
	g.alts = append(p.x.wordAlts(w.text), p.x.slips(w.text)...)
	if k > 0 && p.ws[k-1].kind == words.Word {
		g.alts = p.x.appendTerm(g.alts, p.ws[k-1].text+w.text, joinedWords)
	}
	if k+1 < stop && p.ws[k+1].kind == words.Word {
		g.alts = p.x.appendTerm(g.alts, w.text+p.ws[k+1].text, joinedWords)
	}
	if len(g.alts) == 0 {
		g.alts, g.means = p.x.guess(w.text)
	}
	p.groups = append(p.groups, g)
}

// hanGroup is one Han run: particles and idle words part it, the rest are phrases.
func (p *queryParser) hanGroup(run []word) {
	for len(run) > 0 {
		if n := idleLen(run); n > 1 || n == 1 && len(run) > 1 {
			if n > 1 {
				p.phrase(run[:n]) // it counts when nothing else is there
			}
			run = run[n:]
			continue
		}
		end := 1
		for end < len(run) && idleLen(run[end:]) == 0 {
			end++
		}
		p.phrase(run[:end])
		run = run[end:]
		if len(run) == 1 && isParticle(run[0].text) {
			return
		}
	}
}

// idleLen is how many characters the particle or idle word has that a Han run begins with; 0 when it begins with none.
func idleLen(run []word) int {
	if isParticle(run[0].text) {
		return 1
	}
	text := ""
	for n := range min(len(run), maxIdleHan) {
		if text += run[n].text; idle[text] != 0 {
			return n + 1
		}
	}
	return 0
}

func (p *queryParser) phrase(run []word) {
	var b strings.Builder
	for _, w := range run {
		b.WriteString(w.text)
	}
	text := b.String()
	g := group{typed: text}
	if len(run) == 1 {
		g.alts = p.x.prefixAlts(text, exact, maxOfChar)
	} else {
		g.alts = []alternative{hanAlternative(text, exact)}
	}
	p.split = p.split || len(run) >= minSplit
	p.groups = append(p.groups, g)
}

// hanAlternative matches a Han phrase: its pairs of characters, and when there are several, the phrase itself.
func hanAlternative(text string, weight float32) alternative {
	runes := []rune(text)
	a := alternative{weight: weight}
	for k := 0; k+1 < len(runes); k++ {
		if pair := string(runes[k : k+2]); !slices.Contains(a.terms, pair) {
			a.terms = append(a.terms, pair)
		}
	}
	if len(runes) > 2 {
		a.phrase = text
	}
	return a
}

// spelled matches what holds all of ws, Han runs as phrases of their pairs.
func spelled(ws []word) alternative {
	a := alternative{weight: exact}
	run := ""
	for k, w := range ws {
		if w.kind == words.Word {
			a.terms = append(a.terms, w.text)
			continue
		}
		if run += w.text; k+1 == len(ws) || ws[k+1].kind == words.Word || ws[k+1].spaced {
			a.terms = append(a.terms, hanAlternative(run, exact).terms...)
			run = ""
		}
	}
	return a
}

// particles join words and mean nothing alone.
const particles = "的了和与及或在是之吗呢吧"

func isParticle(s string) bool {
	return strings.Contains(particles, s) && utf8.RuneCountInString(s) == 1
}

// idle words say nothing about what is asked. Those that are vague count when nothing else is there; of the others alone nothing
// comes. Every Han word counts alone: two characters are always found.
var idle = map[string]idleness{
	"a": empty, "an": empty, "the": empty, "of": empty, "in": empty, "on": empty, "for": empty, "to": empty, "and": empty, "or": empty, "with": empty,
	"is": empty, "are": empty, "was": empty, "be": empty, "how": empty, "what": empty, "about": empty, "by": empty, "from": empty, "as": empty,
	"at": empty, "this": empty, "that": empty, "it": empty, "its": empty, "do": empty, "does": empty, "i": empty, "my": empty, "we": empty,
	"our": empty, "you": empty, "your": empty, "can": empty, "should": empty, "which": empty, "when": empty, "where": empty, "why": empty,
	"who": empty, "there": empty, "any": empty, "me": empty, "please": empty, "into": empty, "between": empty, "latest": vague, "news": vague,
	"article": vague, "articles": vague, "item": vague, "items": vague, "use": vague, "using": vague, "vs": vague, "versus": vague,
	"关于": vague, "如何": vague, "怎么": vague, "怎样": vague, "什么": vague, "哪些": vague, "一些": vague, "有关": vague, "相关": vague, "请问": vague,
	"为什么": vague, "有没有": vague, "有哪些": vague, "是什么": vague, "怎么样": vague, "最新": vague, "最近": vague, "文章": vague, "资讯": vague,
	"新闻": vague, "区别": vague, "哪个好": vague, "优缺点": vague,
}

type idleness uint8

const (
	vague idleness = iota + 1
	empty
)

// maxIdleHan is how many characters the longest idle Han word has.
const maxIdleHan = 3

// isOneChar says whether s is one Han character: beside other words it is what a particle or a cut left over.
func isOneChar(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size == len(s) && words.IsChar(r)
}

// dropIdle leaves out what says nothing beside the rest, and what is there already.
func dropIdle(groups []group) []group {
	groups = slices.DeleteFunc(slices.Clone(groups), func(g group) bool { return idle[g.typed] == empty })
	kept := slices.DeleteFunc(slices.Clone(groups), func(g group) bool { return idle[g.typed] == vague || !g.topic && isOneChar(g.typed) })
	if len(kept) == 0 {
		kept = groups
	}
	var out []group
	for _, g := range kept {
		same := func(o group) bool {
			return len(o.alts) > 0 && len(g.alts) > 0 && slices.Equal(o.alts[0].terms, g.alts[0].terms) && o.alts[0].phrase == g.alts[0].phrase
		}
		if !slices.ContainsFunc(out, same) {
			out = append(out, g)
		}
	}
	return out
}
