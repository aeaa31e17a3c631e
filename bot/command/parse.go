package command

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"weeklybot/bot"
	"weeklybot/internal/nearest"
)

const (
	// maxTextBytes is the longest command that is read, in bytes: far more than a chat's input line invites to.
	maxTextBytes = 2000
	// maxWords is the most words of a command that are read.
	maxWords = 60
	// maxPage is the furthest page of an answer.
	maxPage = 100
)

// request is a command as typed, taken apart.
type request struct {
	cmd   *command
	typed string   // the word that named the command, without slash
	words []string // what follows, quotes taken off; options are not in it
	rest  string   // what follows as one text, quotes kept; options are not in it
	lang  string   // from --lang, "" without
	page  int      // from --page, 1 without
}

// parse reads text by the one grammar: [/]COMMAND words… with "quoted words", --lang zh|en and --page N anywhere. The slash and the
// space behind a Chinese command may be left out; full-width characters count as narrow ones.
func (g *grammar) parse(text, lang string) (request, error) {
	say := chooser(lang)
	if len(text) > maxTextBytes {
		return request{}, &bot.UserError{Code: "too_long",
			Text: say("这条命令太长了。", "This command is too long."), Hint: say("请缩短后再发。", "Please make it shorter.")}
	}
	tokens := tokenize(norm.NFKC.String(strings.ToValidUTF8(text, "\uFFFD")))
	if len(tokens) > 1 && isOwnName(tokens[0].text) {
		tokens = tokens[1:]
	}
	if len(tokens) == 0 || isOwnName(tokens[0].text) {
		return request{cmd: g.byName["help"], typed: "help", page: 1}, nil
	}
	cmd, typed, glued := g.named(tokens[0].text)
	if cmd == nil {
		return request{typed: typed}, g.unknown(typed, strings.Join(rawTexts(tokens), " "), lang)
	}
	tokens = tokens[1:]
	if glued != "" {
		tokens = append([]token{{glued, glued}}, tokens...)
	}
	req := request{cmd: cmd, typed: typed, page: 1}
	err := req.take(tokens, say)
	return req, err
}

// isOwnName is true for the word that Slack's one slash command begins with.
func isOwnName(word string) bool {
	return strings.EqualFold(strings.TrimPrefix(word, "/"), "weeklybot")
}

// token is one word: its text, and how it was typed.
type token struct{ text, raw string }

func rawTexts(tokens []token) []string {
	var texts []string
	for _, t := range tokens {
		texts = append(texts, t.raw)
	}
	return texts
}

// closing quotes by what opens them. An apostrophe inside a word opens nothing.
var closing = map[rune]rune{'"': '"', '\'': '\'', '“': '”', '‘': '’', '「': '」', '『': '』'}

func tokenize(text string) []token {
	var tokens []token
	for rest := strings.TrimSpace(text); rest != "" && len(tokens) < maxWords; rest = strings.TrimSpace(rest) {
		first, size := utf8.DecodeRuneInString(rest)
		if end, ok := closing[first]; ok {
			if n := strings.IndexRune(rest[size:], end); n >= 0 && isEdge(rest[size+n+utf8.RuneLen(end):]) {
				raw := rest[:size+n+utf8.RuneLen(end)]
				tokens = append(tokens, token{rest[size : size+n], raw})
				rest = rest[len(raw):]
				continue
			}
		}
		n := strings.IndexFunc(rest, unicode.IsSpace)
		if n < 0 {
			n = len(rest)
		}
		tokens = append(tokens, token{rest[:n], rest[:n]})
		rest = rest[n:]
	}
	return tokens
}

func isEdge(rest string) bool {
	r, _ := utf8.DecodeRuneInString(rest)
	return rest == "" || unicode.IsSpace(r)
}

// named finds the command that a first word names; glued is what stands behind a Chinese name without a space. typed is the name as
// typed when none is found.
func (g *grammar) named(word string) (cmd *command, typed, glued string) {
	word = strings.TrimLeft(word, "/")
	lower := strings.ToLower(word)
	if k := strings.IndexByte(lower, '@'); k > 0 { // "/hot@weeklybot", as some clients complete it
		lower = lower[:k]
	}
	if c := g.byName[lower]; c != nil {
		return c, lower, ""
	}
	best := ""
	for name := range g.byName {
		if len(name) > len(best) && strings.HasPrefix(lower, name) && mayGlue(name, lower[len(name):]) {
			best = name
		}
	}
	if best != "" && len(lower) == len(word) {
		return g.byName[best], best, strings.TrimLeft(word[len(best):], ":,")
	}
	return nil, word, ""
}

// mayGlue says whether rest may stand right behind a command's name: behind a Chinese one, but "期待" is no /期.
func mayGlue(name, rest string) bool {
	first, size := utf8.DecodeRuneInString(name)
	next, _ := utf8.DecodeRuneInString(rest)
	return unicode.Is(unicode.Han, first) && (size < len(name) || !unicode.Is(unicode.Han, next))
}

// unknown is the fault of a text whose first word is no command: what it may have meant, else how to search for it.
func (g *grammar) unknown(typed, text, lang string) error {
	say := chooser(lang)
	shown := clip(typed, 30)
	err := &bot.UserError{Code: "unknown_command", Text: say("没有“"+shown+"”这个命令。", "There is no command “"+shown+"”.")}
	if near := nearest.Of(typed, g.names(lang), 2); len(near) > 0 {
		err.Hint = say("您是不是要找：/", "Did you mean /") + strings.Join(near, say(" 或 /", " or /")) + say("？全部命令：/help", "? All commands: /help")
	} else {
		err.Hint = say("要搜索请输入 /search ", "To search, type /search ") + clip(strings.TrimLeft(text, "/"), 60) + say("；全部命令：/help", "; all commands: /help")
	}
	return err
}

// clip shortens text that an answer repeats, to n characters.
func clip(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n]) + "…"
	}
	return text
}

// take sorts tokens into options and words.
func (r *request) take(tokens []token, say func(zh, en string) string) error {
	var raw []string
	for k := 0; k < len(tokens); k++ {
		name, value, joined := strings.Cut(tokens[k].text, "=")
		option := strings.ToLower(strings.Replace(name, "—", "--", 1)) // phones turn -- into a dash
		if option != "--lang" && option != "--page" || tokens[k].raw != tokens[k].text {
			r.words, raw = append(r.words, tokens[k].text), append(raw, tokens[k].raw)
			continue
		}
		if !joined && k+1 < len(tokens) {
			k++
			value = tokens[k].text
		}
		if !r.set(option, value) {
			return &bot.UserError{Code: "bad_option", Text: say("选项“"+option+"”的值不对。", "The option “"+option+"” has a wrong value."),
				Hint: say("可以这样写：--lang zh、--lang en、--page 2", "Write it like this: --lang zh, --lang en, --page 2")}
		}
	}
	r.rest = strings.Join(raw, " ")
	return nil
}

func (r *request) set(option, value string) bool {
	if option == "--lang" {
		r.lang = language(value)
		return r.lang != ""
	}
	n, err := strconv.Atoi(value)
	r.page = n
	return err == nil && n >= 1 && n <= maxPage
}

// language reads the name of a language; "" when it is none that the bot speaks.
func language(word string) string {
	word = strings.ToLower(word)
	if k := strings.IndexAny(word, "-_"); k == 2 { // "zh-CN", "en_US"
		word = word[:k]
	}
	switch word {
	case "zh", "cn", "chinese", "中文", "汉语", "简体中文":
		return "zh"
	case "en", "english", "英文", "英语":
		return "en"
	}
	return ""
}

func hasHan(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

func chooser(lang string) func(zh, en string) string {
	return func(zh, en string) string {
		if lang == "en" {
			return en
		}
		return zh
	}
}

// splitList splits "a, b、c；d" and drops what is empty.
func splitList(words []string) []string {
	parts := strings.FieldsFunc(strings.Join(words, " "), func(r rune) bool { return strings.ContainsRune(",、;，；", r) })
	for k := range parts {
		parts[k] = strings.TrimSpace(parts[k])
	}
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}
