package command

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"weeklybot/bot/admin"
)

// form is what an administrator types of a broadcast: options, then the text as it stands.
type form struct {
	admin.Request
	all bool // to everybody
}

// rawRest is what stands behind the command's name, as it was typed: line ends, quotes and full-width characters kept.
func (r *Router) rawRest(c *call) string {
	word, rest := cutWord(strings.ToValidUTF8(c.cmd.Text, "\uFFFD"))
	if isOwnName(norm.NFKC.String(word)) && rest != "" {
		word, rest = cutWord(rest)
	}
	if _, _, glued := r.grammar.named(norm.NFKC.String(word)); glued != "" {
		return strings.TrimSpace(glued + " " + rest)
	}
	return rest
}

// cutWord takes the first word off; rest keeps its form but for blanks around it.
func cutWord(text string) (word, rest string) {
	text = strings.TrimSpace(text)
	n := strings.IndexFunc(text, unicode.IsSpace)
	if n < 0 {
		return text, ""
	}
	return text[:n], strings.TrimSpace(text[n:])
}

// options are the names of what may stand before the text of a broadcast: "platform:slack".
var options = verbs(map[string]func(*form, string){
	"platform platforms 平台":    func(f *form, v string) { f.Audience.Platforms = append(f.Audience.Platforms, listed(v)...) },
	"workspace workspaces 工作区": func(f *form, v string) { f.Audience.Workspaces = append(f.Audience.Workspaces, listed(v)...) },
	"channel channels 频道":      func(f *form, v string) { f.Audience.Channels = append(f.Audience.Channels, listed(v)...) },
	"series 期刊":                func(f *form, v string) { f.Audience.Series = append(f.Audience.Series, listed(v)...) },
	"topic topics 主题":          func(f *form, v string) { f.Audience.Topics = append(f.Audience.Topics, listed(v)...) },
	"at when 时间":               func(f *form, v string) { f.When = v },
	"zone 时区":                  func(f *form, v string) { f.Zone = v },
	"title 标题":                 func(f *form, v string) { f.Title = v },
	"issue 刊":                  func(f *form, v string) { f.Issue = v },
	"style 样式":                 func(f *form, v string) { f.Style, _ = styleOf(v) },
	"lang 语言":                  func(f *form, v string) { f.Lang = language(v) },
})

func listed(v string) []string { return splitList([]string{v}) }

// isEverybody is true for the words that stand for all channels.
func isEverybody(word string) bool {
	switch strings.ToLower(word) {
	case "all", "everybody", "everyone", "全部", "所有", "所有人", "全体":
		return true
	}
	return false
}

// readForm reads options and text: "platform:slack topic:ebpf at:"2026-12-24 09:00" The text". To whom must be said.
func (r *Router) readForm(c *call, text string) (form, error) {
	f := form{Request: admin.Request{Lang: c.lang}}
	for {
		set, value, rest := cutOption(text)
		if set == nil {
			word, after := cutWord(text)
			if isEverybody(word) {
				f.all, text = true, after
				continue
			}
			break
		}
		set(&f, value)
		text = rest
	}
	if word, after := cutWord(text); word == "--" { // what follows is text, whatever it looks like
		text = after
	}
	f.Text = text
	a := &f.Audience
	for i, name := range a.Channels {
		if strings.EqualFold(name, "here") || name == "这里" {
			a.Channels[i] = c.cmd.Channel.ID().String()
		}
	}
	narrow := len(a.Platforms)+len(a.Workspaces)+len(a.Channels)+len(a.Series)+len(a.Topics) > 0
	if narrow == f.all {
		return f, c.fault("to_whom", "发给谁？", "To whom?", "先写 all，或 platform:slack、workspace:T1、channel:here、series:名字、topic:ebpf 中的几项，再写正文；说明：/help broadcast",
			"First all, or some of platform:slack, workspace:T1, channel:here, series:NAME, topic:ebpf; then the text. More: /help broadcast")
	}
	return f, nil
}

// cutOption takes "name:value" or "name=value" off the front of text; the value may be quoted, or stand behind a blank. set is nil when there is
// none.
func cutOption(text string) (set func(*form, string), value, rest string) {
	text = strings.TrimSpace(text)
	n := strings.IndexFunc(text, func(r rune) bool { return r == ':' || r == '=' || r == '：' || unicode.IsSpace(r) })
	if n <= 0 {
		return nil, "", text
	}
	sep, size := utf8.DecodeRuneInString(text[n:])
	set = options[strings.ToLower(norm.NFKC.String(text[:n]))]
	if set == nil || unicode.IsSpace(sep) {
		return nil, "", text
	}
	value, rest = cutValue(text[n+size:])
	if value == "" {
		return nil, "", text
	}
	return set, norm.NFKC.String(value), rest
}

// cutValue takes a word, or what stands in quotes, off the front of text.
func cutValue(text string) (value, rest string) {
	text = strings.TrimSpace(text)
	first, size := utf8.DecodeRuneInString(text)
	if end, ok := closing[first]; ok {
		if n := strings.IndexRune(text[size:], end); n >= 0 {
			return strings.TrimSpace(text[size : size+n]), strings.TrimSpace(text[size+n+utf8.RuneLen(end):])
		}
	}
	return cutWord(text)
}

// cutWhen takes the words before the audience off the front of text: "Mon 09:00 all Hello" is "Mon 09:00" and "all Hello".
func cutWhen(text string) (when, rest string) {
	rest = strings.TrimSpace(text)
	if first, _ := utf8.DecodeRuneInString(rest); closing[first] != 0 {
		return cutValue(rest)
	}
	var words []string
	for rest != "" {
		word, after := cutWord(rest)
		if set, _, _ := cutOption(rest); set != nil || isEverybody(word) {
			return strings.Join(words, " "), rest
		}
		words, rest = append(words, word), after
	}
	return "", ""
}
