package parse

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/content"
)

// names of header fields, by what they mean.
var (
	titleNames    = []string{"title", "标题", "subject", "name", "headline"}
	numberNames   = []string{"number", "issue", "issue_number", "issue-number", "issuenumber", "issue_no", "issue-no", "no", "num", "vol", "volume", "episode", "edition", "期号", "期数", "期"}
	dateNames     = []string{"date", "日期", "published", "publishdate", "publish_date", "pubdate", "pub_date", "published_at", "published_on", "publish_at", "publishedat", "date_published", "datepublished", "pubdatetime", "created", "created_at", "createtime", "time", "day", "发布日期", "时间"}
	summaryNames  = []string{"summary", "摘要", "description", "abstract", "excerpt", "desc", "subtitle", "lead", "intro", "teaser", "preview", "preview_text", "导语", "导读", "简介", "描述"}
	authorNames   = []string{"authors", "author", "作者", "by", "writer", "writers", "written_by", "creator", "contributors"}
	editorNames   = []string{"editors", "editor", "编辑", "责任编辑", "责编", "主编", "curator", "curators", "curated_by", "edited_by"}
	tagNames      = []string{"tags", "tag", "标签", "keywords"}
	categoryNames = []string{"categories", "category", "分类"}
	seriesNames   = []string{"series", "newsletter", "系列"}
)

// fill sets the fields that header, title and source give.
func (p *issueReader) fill() {
	i, h := p.issue, p.head
	stem := p.stem()
	if title, _ := h.first(titleNames...); title != "" {
		i.Title = withoutEmojiEnds(plainMarkup(title))
	} else if p.title != "" {
		i.Title = p.title
	} else {
		i.Title = stem
	}
	p.fillNumber(stem)
	p.fillDate(stem)
	if s, _ := h.first(summaryNames...); p.abstract == "" {
		i.Summary = plainMarkup(s)
	} else {
		i.Summary = p.abstract
	}
	i.Authors, i.Editors = p.authors, p.editors
	if len(i.Authors) == 0 {
		i.Authors = h.people(authorNames...)
	}
	if len(i.Editors) == 0 {
		i.Editors = h.people(editorNames...)
	}
	i.Tags, i.Categories = h.list(tagNames...), h.list(categoryNames...)
	if i.Series == "" {
		if i.Series, _ = h.first(seriesNames...); i.Series == "" {
			i.Series = seriesOf(i.Source)
		}
	}
}

func (p *issueReader) fillNumber(stem string) {
	if text, line := p.head.first(numberNames...); text != "" {
		if n, ok := findNumber("#" + strings.TrimLeft(text, "# ")); ok {
			p.issue.Number = &n
			return
		}
		if n, ok := findNumber(text); ok {
			p.issue.Number = &n
			return
		}
		p.warn(line, fmt.Sprintf("number %q is not a number", clip(text, 40)))
	}
	for _, text := range slices.Compact([]string{p.issue.Title, p.title, p.dateline, p.counted}) {
		if n, ok := findNumber(text); ok {
			p.issue.Number = &n
			return
		}
	}
	if n, ok := stemNumber(stem); ok {
		p.issue.Number = &n
	}
}

var (
	stemTailRE  = regexp.MustCompile(`(?i)^(?:#|issue|vol|no|weekly|week|第)?[-_. ]?0*(\d{1,4})期?$`)
	stemDatesRE = regexp.MustCompile(`[-_. ]*(?:19|20)\d\d[-_.]?\d\d[-_.]?\d\d`)
	stemHeadRE  = regexp.MustCompile(`^(\d{3})-\D`) // shorter ones only put files in order
	stemNameRE  = regexp.MustCompile(`^[^0-9]*[a-zA-Z\p{Han}][-_. ]+(?:#|issue-?|vol-?|no-?)?0*(\d{1,4})$`)
)

// stemNumber reads the number off a file name: "#56-2019.02.25", "issue-12", "weekly-007", "012". Dates are taken out first, and a number
// of one or two digits in front of other words is only an order of files.
func stemNumber(stem string) (int, bool) {
	rest := strings.Trim(stemDatesRE.ReplaceAllString(stem, ""), "-_. ")
	if rest == "" {
		return 0, false
	}
	_, named := numberAfterWord(rest, false)
	if n, ok := findNumber(rest); ok && (named || hanNumber(rest) != "" || hashNumber(rest) != "") {
		return n, true
	}
	for _, re := range []*regexp.Regexp{stemTailRE, stemNameRE, stemHeadRE} {
		if m := re.FindStringSubmatch(rest); m != nil {
			if n := number(m[1]); n > 0 && (n < 1900 || n > 2100) {
				return n, true
			}
		}
	}
	return 0, false
}

func (p *issueReader) fillDate(stem string) {
	i := p.issue
	text, line := p.head.first(dateNames...)
	if text != "" {
		if f, ok := findDate(text); ok {
			i.Date = f.day
			if rest := strings.TrimSpace(text[f.end:]); !validTime(rest) {
				p.warn(line, fmt.Sprintf("date %q: the day was read, the time cannot be", clip(text, 40)))
			}
		} else if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && seconds > 1e8 {
			i.Date = unixDay(seconds)
		} else {
			p.warn(line, fmt.Sprintf("date %q is not a date", clip(text, 40)))
		}
	}
	p.fixYear(stem)
	for _, text := range slices.Compact([]string{i.Title, p.title, stem, p.dateline}) {
		if i.Date != "" && i.Period[0] != "" {
			break
		}
		from, to, ok := findPeriod(text)
		if !ok {
			continue
		}
		if from != to && i.Period[0] == "" {
			i.Period = [2]string{from, to}
		}
		if i.Date == "" {
			i.Date = to
		}
	}
}

// fixYear settles a title and a file name that name the same day of two years: files are named to be sorted, so theirs is right.
func (p *issueReader) fixYear(stem string) {
	if p.issue.Date != "" {
		return
	}
	title, ok := findDate(p.issue.Title)
	file, ok2 := findDate(stem)
	if ok && ok2 && title.day != file.day && title.day[4:] == file.day[4:] {
		p.issue.Date = file.day
		p.warn(max(1, p.titleLine), fmt.Sprintf("the title says %s, the file name %s: the file name was taken", title.day, file.day))
	}
}

var timeRE = regexp.MustCompile(`^(?:T|\s)*(?:(?:[01]?\d|2[0-3])(?::[0-5]\d){1,2}(?:\.\d+)?)?\s*(?:[AaPp][Mm])?\s*(?:Z|UTC|GMT|[A-Z]{2,4}|[+-]\d\d:?\d\d)?$`)

func validTime(s string) bool {
	return s == "" || timeRE.MatchString(s) || !strings.ContainsAny(s, "0123456789")
}

func unixDay(seconds int64) string {
	if seconds > 1e11 {
		seconds /= 1000
	}
	return time.Unix(seconds, 0).UTC().Format(time.DateOnly)
}

// people reads names out of header fields.
func (h *header) people(names ...string) []string {
	for _, name := range names {
		f, ok := h.fields[name]
		if !ok {
			continue
		}
		if f.list {
			names := make([]string, len(f.values))
			for k, v := range f.values {
				names[k] = withoutAddress(v)
				if strings.Contains(v, "](") {
					names[k] = plainMarkup(v)
				}
			}
			return unique(names)
		}
		if len(f.values) > 0 {
			return splitNames(f.values[0])
		}
	}
	return nil
}

// list reads a header field that holds several texts.
func (h *header) list(names ...string) []string {
	for _, name := range names {
		f, ok := h.fields[name]
		if !ok {
			continue
		}
		if f.list {
			return unique(f.values)
		}
		var out []string
		for part := range strings.FieldsFuncSeq(f.values[0], func(r rune) bool { return strings.ContainsRune(",，、;；|", r) }) {
			out = append(out, strings.TrimSpace(part))
		}
		return unique(out)
	}
	return nil
}

// unique are values without blanks around, without empty ones, each once, in their order.
func unique(values []string) []string {
	var out []string         // the beginning of values, until something is left out or trimmed
	var seen map[string]bool // only of many
	if len(values) > 16 {
		seen = make(map[string]bool, len(values))
	}
	same := true
	for k, v := range values {
		if v = strings.TrimSpace(v); v == "" || seen[v] || seen == nil && slices.Contains(out, v) {
			same = false
			continue
		}
		if seen != nil {
			seen[v] = true
		}
		if same = same && values[k] == v; same {
			out = values[: k+1 : k+1]
		} else {
			out = append(out, v)
		}
	}
	return out
}

// plainMarkup takes the markup off a header field.
func plainMarkup(s string) string {
	if !strings.ContainsAny(s, "*_`[<\\&") {
		return squeeze(s)
	}
	blocks := markdownBlocks(prepare(s, 1))
	if len(blocks) != 1 || len(blocks[0].runs) == 0 {
		return squeeze(s)
	}
	return plain(blocks[0].runs)
}

// withoutEmojiEnds takes pictographs off both ends.
func withoutEmojiEnds(s string) string {
	t := strings.TrimFunc(s, func(r rune) bool { return isEmoji(r) || isBlank(r) })
	if t == "" {
		return s
	}
	return t
}

// pathDateRE is a date of which the year is a folder: "2024/0612.md", "2024/06/12.md", "2024/06/12/name.md".
var pathDateRE = regexp.MustCompile(`(?:^|[/\\])((?:19|20)\d\d)[/\\](?:(\d\d)[-_.]?(\d\d)|(\d\d)[/\\](\d\d))(?:[/\\][^/\\]*)?\.\w+$`)

// pathDate is what pathDateRE finds in a path; nil when there is nothing.
func pathDate(path string) []string {
	for k := 4; k+1 < len(path); k++ {
		if (path[k] == '/' || path[k] == '\\') && isYear(path[k-4:k]) && isDigit(path[k+1]) {
			return pathDateRE.FindStringSubmatch(path)
		}
	}
	return nil
}

// stem is the name of the file without extension; for an index file the name of its folder; with the folders that are a date.
func (p *issueReader) stem() string {
	if m := pathDate(p.issue.Source); m != nil {
		if date := day(number(m[1]), number(m[2]+m[4]), number(m[3]+m[5])); date != "" {
			return date
		}
	}
	_, name := split(p.issue.Source)
	if isIndex(name) {
		dir, _ := split(p.issue.Source)
		if _, folder := split(dir); folder != "" {
			return folder
		}
	}
	return withoutExtension(name)
}

func withoutExtension(name string) string {
	if ext := path.Ext(name); IsIssueFile("x"+ext) || ext == ".html" || ext == ".htm" {
		return strings.TrimSuffix(name, ext)
	}
	return name
}

func isIndex(name string) bool {
	s := strings.ToLower(withoutExtension(name))
	return s == "index" || s == "_index" || strings.HasPrefix(s, "index.")
}

// split is path.Split for both kinds of slash, without a final one.
func split(source string) (dir, name string) {
	source = strings.TrimRight(strings.ReplaceAll(source, `\`, "/"), "/")
	k := strings.LastIndexByte(source, '/')
	if k < 0 {
		return "", source
	}
	return source[:k], source[k+1:]
}

var timeFolderRE = regexp.MustCompile(`^(?:(?:19|20)\d\d(?:[-_.]?\d\d)?|\d\d?|[qQ][1-4]|_posts|posts?|source)$`)

// seriesOf names the series after the folder. Folders that are only a year or a month are skipped, and so is one issue's own folder.
func seriesOf(source string) string {
	dir, name := split(source)
	own := ""
	if isIndex(name) {
		above, folder := split(dir)
		if ownFolder(folder) {
			dir, own = above, folder
		}
	}
	for dir != "" {
		var folder string
		if dir, folder = split(dir); folder != "" && folder != "." && folder != ".." && !timeFolderRE.MatchString(folder) {
			return folder
		}
	}
	if own != "" {
		if k := strings.LastIndexFunc(own, func(r rune) bool { return (r < '0' || r > '9') && !strings.ContainsRune("-_.# 第期", r) }); k >= 0 {
			return strings.TrimRight(own[:k+len(string([]rune(own[k:])[0]))], "-_. ")
		}
		return own
	}
	return withoutExtension(name)
}

// ownFolder reports whether a folder is named after one issue.
func ownFolder(folder string) bool {
	if folder == "" || timeFolderRE.MatchString(folder) {
		return false
	}
	if _, ok := findDate(folder); ok {
		return true
	}
	_, ok := stemNumber(folder)
	return ok
}

// IsIssueFile reports whether a file of this name can be an issue: .md, .markdown or .txt, but no README, LICENSE or CHANGELOG and no
// hidden file. Folders in name do not matter.
func IsIssueFile(name string) bool {
	_, name = split(name)
	upper := strings.ToUpper(name)
	for _, other := range []string{".", "README", "LICENSE", "LICENCE", "CHANGELOG"} {
		if strings.HasPrefix(upper, other) {
			return false
		}
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".md", ".markdown", ".txt":
		return true
	}
	return false
}

func (p *issueReader) warn(line int, text string) {
	p.issue.Warnings = append(p.issue.Warnings, content.Warning{Line: line, Text: text})
}
