package parse

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// phrase is a list of regular expressions that begin with words, one of which must match. Most texts begin with none of them, and that
// is found out by their first three characters, a hundred times faster than by an expression.
type phrase struct {
	starts       starts // of all alternatives
	alternatives []alternative
}

type alternative struct {
	*regexp.Regexp
	starts starts
}

// phraseOf puts each alternative into frame, at its "%s". Small expressions match faster than one large one.
func phraseOf(frame string, alternatives ...string) *phrase {
	p := &phrase{starts: startsOf(strings.Replace(frame, "%s", strings.Join(alternatives, "|"), 1))}
	for _, a := range alternatives {
		expr := strings.Replace(frame, "%s", a, 1)
		p.alternatives = append(p.alternatives, alternative{regexp.MustCompile(expr), startsOf(expr)})
	}
	return p
}

// find is where the first match at the start of s ends, -1 when there is none.
func (p *phrase) find(s string) int {
	if !p.starts.may(s) {
		return -1
	}
	for k := range p.alternatives {
		if a := &p.alternatives[k]; a.starts.may(s) {
			if m := a.FindStringIndex(s); m != nil {
				return m[1]
			}
		}
	}
	return -1
}

// matches reports whether an alternative matches at the start of s.
func (p *phrase) matches(s string) bool {
	if !p.starts.may(s) {
		return false
	}
	for k := range p.alternatives {
		if a := &p.alternatives[k]; a.starts.may(s) && a.MatchString(s) {
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
		if (!inWord && word || c >= utf8.RuneSelf && utf8.RuneStart(c)) && p.starts.may(s[k:]) && p.matches(cut(s[k:], maxWithin)) {
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

// starts knows with which characters a match can begin: hashes of one to three of them, case folded. It may say yes too often, and
// never says no to a match.
type starts struct {
	bits  [1 << 14 / 64]uint64
	depth [startRunes]bool // at which lengths a beginning is known that may be followed by anything
}

const (
	startRunes = 3
	endOfText  = -1
	maxClass   = 64 // character classes with more characters than this count as any
)

func startsOf(expr string) starts {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		panic(err) // regexp.MustCompile has read the same expression
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		panic(err)
	}
	var s starts
	s.walk(prog, uint32(prog.Start), 0, 0)
	return s
}

// walk notes what can follow the n characters of hash, which lead to the instruction at pc.
func (s *starts) walk(prog *syntax.Prog, pc uint32, hash uint32, n int) {
	if n == startRunes {
		s.set(hash)
		return
	}
	next, ended, matched := closure(prog, pc)
	if matched {
		s.open(hash, n)
		return
	}
	if ended {
		end := hash
		for range startRunes - n {
			end = mix(end, endOfText)
		}
		s.set(end)
	}
	for _, inst := range next {
		if _, ok := runesOf(inst); !ok {
			s.open(hash, n)
			return
		}
	}
	for _, inst := range next {
		runes, _ := runesOf(inst)
		for _, r := range runes {
			s.walk(prog, inst.Out, mix(hash, r), n+1)
		}
	}
}

func (s *starts) open(hash uint32, n int) {
	s.depth[n] = true
	s.set(mix(hash, rune(utf8.MaxRune+1+n)))
}

func (s *starts) set(hash uint32) { s.bits[hash>>6&(uint32(len(s.bits))-1)] |= 1 << (hash & 63) }

func (s *starts) has(hash uint32) bool {
	return s.bits[hash>>6&(uint32(len(s.bits))-1)]&(1<<(hash&63)) != 0
}

// may reports whether a match may begin at the start of text.
func (s *starts) may(text string) bool {
	hash := uint32(0)
	for n := range startRunes {
		if s.depth[n] && s.has(mix(hash, rune(utf8.MaxRune+1+n))) {
			return true
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
	return s.has(hash)
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
