package parse

import (
	"math/bits"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// phrase is a list of regular expressions that begin with words, one of which must match. Most texts begin with none of them, and that
// is found out by their first three characters, a hundred times faster than by an expression.
type phrase struct {
	written      []string             // the expressions as they were given
	alternatives []*regexp.Regexp     // what they were made into
	starts       map[uint32]uint64    // by the hash of one to three characters, case folded: the alternatives that can begin with them, as bits
	known        [1 << 14 / 64]uint64 // a set of the keys of starts, for a quick no
	ascii        [utf8.RuneSelf]bool  // the characters of one byte that a match can begin with
	wide         [64]uint64           // the first two bytes of the others, six bits of each
	short        [startRunes]bool     // at which lengths a beginning is known that may be followed by anything
}

const (
	maxAlternatives = 64
	small           = 200 // instructions
)

// phraseOf puts each alternative into frame, at its "%s". Small expressions match faster than large ones: those are taken apart, as far as there is room.
func phraseOf(frame string, alternatives ...string) *phrase {
	if len(alternatives) > maxAlternatives {
		panic("too many alternatives")
	}
	p := &phrase{starts: map[uint32]uint64{}}
	var all []expression
	for _, a := range alternatives {
		written := strings.Replace(frame, "%s", a, 1)
		tree, err := syntax.Parse(written, syntax.Perl)
		if err != nil {
			panic(err)
		}
		p.written = append(p.written, written)
		all = append(all, expressionOf(tree))
	}
	for {
		largest := -1
		for k, e := range all {
			if len(e.prog.Inst) <= small || largest >= 0 && len(e.prog.Inst) <= len(all[largest].prog.Inst) {
				continue
			}
			if n := len(branches(e.tree)); n > 1 && len(all)+n-1 <= maxAlternatives {
				largest = k
			}
		}
		if largest < 0 {
			break
		}
		var parts []expression
		for _, tree := range branches(all[largest].tree) {
			parts = append(parts, expressionOf(tree))
		}
		all = slices.Replace(all, largest, largest+1, parts...)
	}
	for k, e := range all {
		p.alternatives = append(p.alternatives, regexp.MustCompile(e.tree.String()))
		p.walk(e.prog, uint32(e.prog.Start), 0, 0, 1<<k)
	}
	return p
}

// find is where the first match at the start of s ends, -1 when there is none.
func (p *phrase) find(s string) int {
	for may := p.may(s); may != 0; may &= may - 1 {
		if m := p.alternatives[bits.TrailingZeros64(may)].FindStringIndex(s); m != nil {
			return m[1]
		}
	}
	return -1
}

// matches reports whether an alternative matches at the start of s.
func (p *phrase) matches(s string) bool {
	for may := p.may(s); may != 0; may &= may - 1 {
		if p.alternatives[bits.TrailingZeros64(may)].MatchString(s) {
			return true
		}
	}
	return false
}

// maxWithin is how long, in bytes, a match of within may be.
const maxWithin = 60

// within reports whether an alternative matches at a character of s that is not ASCII or begins a word.
func (p *phrase) within(s string) bool {
	word := false
	for k := 0; k < len(s); k++ {
		c := s[k]
		inWord := word
		word = c < utf8.RuneSelf && isWordByte[c]
		if (!inWord && word || c >= utf8.RuneSelf && utf8.RuneStart(c)) && p.mayBegin(s[k:]) && p.may(s[k:]) != 0 && p.matches(cut(s[k:], maxWithin)) {
			return true
		}
	}
	return false
}

var isWordByte = func() (is [utf8.RuneSelf]bool) {
	for c := range byte(utf8.RuneSelf) {
		is[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
	}
	return is
}()

const (
	startRunes = 3
	endOfText  = -1
	maxClass   = 64 // character classes with more characters than this count as any
)

// expression is a regular expression and what it is compiled to.
type expression struct {
	tree *syntax.Regexp
	prog *syntax.Prog
}

func expressionOf(tree *syntax.Regexp) expression {
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		panic(err)
	}
	return expression{tree, prog}
}

// branches is an expression as several that together match the same texts: "a(b|c)" is "ab" and "ac". Where "a" can end in several places, find may
// prefer another match than the whole expression would. There are none where that cannot be.
func branches(e *syntax.Regexp) []*syntax.Regexp {
	if e.Op == syntax.OpAlternate {
		return e.Sub
	}
	k := slices.IndexFunc(e.Sub, func(sub *syntax.Regexp) bool { return sub.Op == syntax.OpAlternate })
	if k < 0 || e.Op != syntax.OpConcat {
		return nil
	}
	var all []*syntax.Regexp
	for _, branch := range e.Sub[k].Sub {
		one := &syntax.Regexp{Op: e.Op, Flags: e.Flags, Sub: slices.Clone(e.Sub)}
		one.Sub[k] = branch
		all = append(all, one)
	}
	return all
}

// walk notes what can follow the n characters of hash, which lead to the instruction at pc.
func (p *phrase) walk(prog *syntax.Prog, pc uint32, hash uint32, n int, alternative uint64) {
	if n == startRunes {
		p.add(hash, alternative)
		return
	}
	next, ended, matched := closure(prog, pc)
	if matched {
		p.addShort(hash, n, alternative)
		return
	}
	if ended {
		end := hash
		for range startRunes - n {
			end = mix(end, endOfText)
		}
		p.add(end, alternative)
	}
	if n == 0 {
		p.learnFirst(next)
	}
	for _, inst := range next {
		if _, ok := runesOf(inst); !ok {
			p.addShort(hash, n, alternative)
			return
		}
	}
	for _, inst := range next {
		runes, _ := runesOf(inst)
		for _, r := range runes {
			p.walk(prog, inst.Out, mix(hash, r), n+1, alternative)
		}
	}
}

// learnFirst notes the beginnings of all characters that the instructions read, in either case.
func (p *phrase) learnFirst(next []*syntax.Inst) {
	for _, inst := range next {
		runes, _ := runesOf(inst) // of more than it tells, short is set
		for _, r := range runes {
			p.addFirst(r)
			for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
				p.addFirst(other)
			}
		}
	}
}

func (p *phrase) addFirst(r rune) {
	if r < utf8.RuneSelf {
		p.ascii[r] = true
		return
	}
	s := string(r)
	p.wide[s[0]&63] |= 1 << (s[1] & 63)
}

// mayBegin reports whether a match can begin with the first character of s.
func (p *phrase) mayBegin(s string) bool {
	if p.short[0] || s == "" {
		return true
	}
	if c := s[0]; c < utf8.RuneSelf {
		return p.ascii[c]
	}
	return len(s) > 1 && p.wide[s[0]&63]>>(s[1]&63)&1 != 0
}

func (p *phrase) addShort(hash uint32, n int, alternative uint64) {
	p.short[n] = true
	p.add(mix(hash, rune(utf8.MaxRune+1+n)), alternative)
}

func (p *phrase) add(hash uint32, alternative uint64) {
	p.starts[hash] |= alternative
	p.known[hash>>6&(uint32(len(p.known))-1)] |= 1 << (hash & 63)
}

func (p *phrase) at(hash uint32) uint64 {
	if p.known[hash>>6&(uint32(len(p.known))-1)]&(1<<(hash&63)) == 0 {
		return 0
	}
	return p.starts[hash]
}

// may are the alternatives that may match at the start of text, as bits: perhaps too many, never too few.
func (p *phrase) may(text string) (alternatives uint64) {
	if !p.mayBegin(text) {
		return 0
	}
	hash := uint32(0)
	for n := range startRunes {
		if p.short[n] {
			alternatives |= p.at(mix(hash, rune(utf8.MaxRune+1+n)))
		}
		r := rune(endOfText)
		if text != "" {
			var size int
			r, size = rune(text[0]), 1
			if r >= utf8.RuneSelf {
				r, size = utf8.DecodeRuneInString(text)
			}
			text = text[size:]
			r = folded(r)
		}
		hash = mix(hash, r)
	}
	return alternatives | p.at(hash)
}

func mix(hash uint32, r rune) uint32 {
	hash = (hash ^ uint32(r)) * 0x9e3779b1
	return hash ^ hash>>15
}

// folded is the one character that stands for all that differ from r in case only.
func folded(r rune) rune {
	switch {
	case r >= 'A' && r <= 'Z':
		return r + 'a' - 'A'
	case r < utf8.RuneSelf || r >= 0x2e80 && r < 0xa640:
		return r
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if least < utf8.RuneSelf {
		return unicode.ToLower(least)
	}
	return least
}

// closure are the instructions that read the next character from pc on. ended: the end of the text would be a match; matched: so would
// anything.
func closure(prog *syntax.Prog, pc uint32) (next []*syntax.Inst, ended, matched bool) {
	type step struct {
		pc    uint32
		atEnd bool
	}
	seen := map[step]bool{}
	todo := []step{{pc, false}}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[at] {
			continue
		}
		seen[at] = true
		switch inst := &prog.Inst[at.pc]; inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, step{inst.Out, at.atEnd}, step{inst.Arg, at.atEnd})
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, step{inst.Out, at.atEnd})
		case syntax.InstEmptyWidth:
			todo = append(todo, step{inst.Out, at.atEnd || syntax.EmptyOp(inst.Arg)&syntax.EmptyEndText != 0})
		case syntax.InstMatch:
			ended, matched = ended || at.atEnd, matched || !at.atEnd
		case syntax.InstFail:
		default:
			if !at.atEnd {
				next = append(next, inst)
			}
		}
	}
	return next, ended, matched
}

// runesOf are the characters that an instruction reads, case folded; ok is false when they are too many.
func runesOf(inst *syntax.Inst) (runes []rune, ok bool) {
	if inst.Op == syntax.InstRuneAny || inst.Op == syntax.InstRuneAnyNotNL {
		return nil, false
	}
	seen := map[rune]bool{}
	for k := 0; k < len(inst.Rune); k += 2 {
		low, high := inst.Rune[k], inst.Rune[min(k+1, len(inst.Rune)-1)]
		if high-low > maxClass {
			return nil, false
		}
		for r := low; r <= high; r++ {
			if f := folded(r); !seen[f] {
				seen[f] = true
				runes = append(runes, f)
			}
		}
	}
	return runes, len(runes) <= maxClass
}
