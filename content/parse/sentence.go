package parse

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// sentence makes a title of the first sentence. Its URL is the first link in it; or the link in brackets directly behind it; or a link
// at the end that only says "read it here".
func (t *titled) sentence(runs []run) {
	links, before := closingLinks(runs)
	if before == nil {
		t.firstSentence(runs)
		return
	}
	if t.firstSentence(before); t.url == "" {
		t.url = links[len(links)-1].url
		if links[0].web {
			t.url = links[0].url
		}
	}
	t.rest = append(append(t.rest, run{text: " "}), links...)
}

// within are words before the link to a text of which the sentence tells: "In [title](url), the author …".
var within = map[string]bool{"in": true, "over at": true, "on": true, "from": true, "according to": true, "with": true, "在": true}

// maxWithinWord is how long, in bytes, the longest of them is.
const maxWithinWord = len("according to")

// withinTitle takes the title out of such a sentence.
func (t *titled) withinTitle(runs []run) bool {
	if len(runs) < 3 || len(runs[0].text) > maxWithinWord+2 || !runs[1].web || runs[1].look&(bare|image) != 0 {
		return false
	}
	before := strings.ToLower(strings.TrimRight(trimBlank(runs[0].text), "《“\"「"))
	after := strings.TrimLeft(runs[2].text, "》”\"」 ")
	title := strings.Trim(trimTitle(runs[1].text), "《》“”\"「」")
	first, _ := utf8.DecodeRuneInString(title)
	if !within[before] || width(title) < 3 || unicode.IsLower(first) {
		return false
	}
	if !strings.HasPrefix(after, ",") && !strings.HasPrefix(after, "中") && !strings.HasPrefix(after, "，") && !strings.HasPrefix(after, "一文") && !strings.HasPrefix(after, "这") {
		return false
	}
	t.title, t.url = title, runs[1].url
	t.rest = trimSeparator(runs[2:])
	return true
}

func (t *titled) firstSentence(runs []run) {
	if t.withinTitle(runs) {
		return
	}
	said := strings.ReplaceAll(plain(runs), closed, "")
	end := sentenceEnd(said)
	at, linkEnd := 0, 0
	links := runs
	for len(links) > 0 && !links[len(links)-1].web {
		links = links[:len(links)-1]
	}
	for _, r := range links {
		text := squeeze(r.text)
		k := -1
		if text != "" {
			if k = strings.Index(said[min(at, len(said)):], text); k >= 0 {
				k += at
				at = k + len(text)
			}
		}
		if !r.web || r.look&image != 0 {
			continue
		}
		inside := k >= 0 && k < end
		if inside {
			linkEnd = at
		}
		bracket := k >= end && strings.Trim(said[end:k], " ([（【") == "" && k > end
		if t.url == "" && (inside || bracket || isCall(text) || r.look&bare != 0) {
			t.url = r.url
		}
	}
	if k := slices.IndexFunc(runs, func(r run) bool { return r.look&image != 0 && r.web }); k >= 0 && t.url == "" {
		t.url = runs[k].url
	}
	if end > maxClause && columns(said[:end]) > maxClause {
		end = clauseEnd(said[:end], linkEnd)
	}
	if inner, size := quotedHead(said); inner != "" {
		t.title, t.rest = trimTitle(inner), textRuns(strings.TrimLeft(said[size:], "，,；;：:—– -"))
		return
	}
	t.title = trimTitle(withoutEmojiEnds(said[:end]))
	t.rest = textRuns(strings.TrimLeft(said[end:], "，,；;：: "))
}

// quotedHead is the title in the brackets that s begins with, when a mark separates it from the rest: "《title》：text".
func quotedHead(s string) (title string, size int) {
	for _, pair := range []string{"《》", "「」", "『』"} {
		inner, ok := strings.CutPrefix(s, pair[:len("《")])
		if !ok {
			continue
		}
		k := strings.Index(inner, pair[len("《"):])
		if k <= 0 {
			return "", 0
		}
		size = len("《") + k + len("》")
		next, _ := utf8.DecodeRuneInString(strings.TrimLeft(s[size:], " "))
		if size == len(s) || strings.ContainsRune("：:—–-|｜，,（(", next) {
			return inner[:k], size
		}
	}
	return "", 0
}

// closingLinks are what stands behind a sentence and only says where it leads: a call, a host, or links in brackets, perhaps with a name
// behind them. before is the sentence, nil when there is no such link.
func closingLinks(runs []run) (links, before []run) {
	k := len(runs) - 1
	for k > 0 && runs[k].url == "" {
		k--
	}
	if k < 1 || !runs[k].web || runs[k].look&(bare|image) != 0 {
		return nil, nil
	}
	first, rest := k, trimBlank(joinText(runs[k+1:]))
	for first > 2 && runs[first-1].url == "" && !hasLetter(runs[first-1].text) && runs[first-2].web {
		first -= 2
	}
	if runs[first-1].url != "" {
		return nil, nil
	}
	text := runs[first-1].text
	head := strings.TrimRight(text, " \n\v")
	link := runs[first]
	separator, size := utf8.DecodeLastRuneInString(head)
	inBrackets := strings.ContainsRune("(（[【", separator) && rest != "" && hasWord(link.text)
	switch {
	case inBrackets && isAfterBracket(rest):
	case strings.Trim(rest, ")）。.") != "" || first < k:
		return nil, nil
	case strings.ContainsRune("-–—→.。!！?？", separator) && (isCall(link.text) || isHost(link.text)):
	case strings.ContainsRune(":：,，|｜", separator) && isCall(link.text):
	case len(head) < len(text) && isCall(link.text) && hanCount(link.text) > 0:
		size = 0
	default:
		return nil, nil
	}
	aside := "" // what stands in the same brackets before a call
	if open := strings.LastIndexAny(head, "(（"); !inBrackets && open > 0 && strings.HasPrefix(rest, closingOf(head[open:])) && len(head)-open <= maxAsideBytes {
		aside, head, separator = head[open:], strings.TrimRight(head[:open], " "), '.'
	}
	if !strings.ContainsRune(".。!！?？", separator) {
		head = strings.TrimRight(head[:len(head)-size], " ")
	}
	before = slices.Clone(runs[:first])
	before[first-1].text = head
	least := 3
	if !inBrackets && isCall(link.text) && size > 0 {
		least = 1
	}
	if said := plain(before); width(said) < least || sentenceEnd(said) < len(said) {
		return nil, nil
	}
	links = runs[first : k+1 : k+1]
	if aside != "" {
		return []run{{text: aside + closingOf(aside)}, link}, before
	}
	if name := strings.TrimLeft(rest, ")）]】.。 "); name != "" {
		links = append(links, run{text: " " + name})
	}
	return links, before
}

// maxAsideBytes is how long the text in brackets before a call may be.
const maxAsideBytes = 80

// closingOf is the bracket that closes the one s begins with.
func closingOf(s string) string {
	if strings.HasPrefix(s, "(") {
		return ")"
	}
	return "）"
}

// isAfterBracket reports whether s closes a bracket and ends there, or with a name: ") — @ann".
func isAfterBracket(s string) bool {
	c, size := utf8.DecodeRuneInString(s)
	if !closers.has(c) {
		return false
	}
	name := strings.Trim(s[size:], " .。")
	c, _ = utf8.DecodeRuneInString(name)
	return name == "" || width(name) <= 4 && (strings.ContainsRune("-–—@", c) || len(name) > 3 && strings.EqualFold(name[:3], "by "))
}

// isHost reports whether a link's text is the name of a host.
func isHost(s string) bool {
	k := strings.LastIndexByte(s, '.')
	return k > 0 && len(s)-k > 2 && len(s) < 60 && !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || r <= ' ' }) && hasWord(s[k:])
}

const (
	// maxClause is how wide, in columns, a first sentence may be to be a title as a whole.
	maxClause = 80
	// minClause is how wide what is left of it must be.
	minClause = 20
)

// clauseEnd is where the first clause of a long sentence ends that holds all of its links. What stands in brackets ends no clause.
func clauseEnd(s string, after int) int {
	wide, depth := 0, 0
	for k, r := range s {
		if r < utf8.RuneSelf && isWordByte[r] {
			wide++
			continue
		}
		if closers.has(r) {
			depth = max(0, depth-1)
		}
		inside := depth > 0
		if openers.has(r) {
			depth++
		}
		before := wide
		if wide++; isEast(r) {
			wide++
		}
		if k < after || before < minClause || inside {
			continue
		}
		next, _ := utf8.DecodeRuneInString(s[k+utf8.RuneLen(r):])
		switch {
		case r == '，' || r == '；' || r == '：', (r == ',' || r == ';' || r == ':') && isBlank(next):
			return k
		case r == '（' || r == '(' && k > 0 && s[k-1] == ' ':
			return k
		}
	}
	return len(s)
}
