package twin

import (
	"encoding/json"
	"regexp"
	"strings"
)

// Limits of template cards and news: 91770 and 90236, read 2026-11.
const (
	maxArticles     = 8
	maxArticleTitle = 128 // bytes; the rest is not shown
	maxDescription  = 512 // bytes; the same
	maxRows         = 6
	maxJumps        = 3
	maxColumns      = 4 // of vertical_content_list
	maxButtons      = 6
	maxTaskID       = 128  // bytes
	maxEventKey     = 1024 // bytes
)

// Card is a template card.
type Card struct {
	Type      string `json:"card_type"`
	MainTitle struct {
		Title string `json:"title"`
		Desc  string `json:"desc"`
	} `json:"main_title"`
	SubTitle string `json:"sub_title_text"`
	Rows     []struct {
		Name  string `json:"keyname"`
		Value string `json:"value"`
		Type  int    `json:"type"`
		URL   string `json:"url"`
	} `json:"horizontal_content_list"`
	Columns []struct {
		Title string `json:"title"`
		Desc  string `json:"desc"`
	} `json:"vertical_content_list"`
	Jumps   []CardLink   `json:"jump_list"`
	Action  *CardLink    `json:"card_action"`
	Buttons []CardButton `json:"button_list"`
	TaskID  string       `json:"task_id"`
}

// CardLink leads somewhere.
type CardLink struct {
	Type  int    `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// CardButton is clicked with Twin.Click.
type CardButton struct {
	Text string `json:"text"`
	Key  string `json:"key"`
}

// Article is one of a news post.
type Article struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	URL         string `json:"url"`
	PicURL      string `json:"picurl"`
}

// Where a card is posted to decides which it may be: only who hears callbacks can have buttons.
var (
	robotCards = []string{"text_notice", "news_notice"}
	heardCards = []string{"text_notice", "news_notice", "button_interaction", "vote_interaction", "multiple_interaction"}
)

var taskForm = regexp.MustCompile(`^[0-9A-Za-z_@-]+$`)

// readCard checks a card and returns it.
func readCard(part map[string]any, types []string) (*Card, *reply) {
	raw, _ := json.Marshal(part)
	c := new(Card)
	if json.Unmarshal(raw, c) != nil {
		return nil, no(40035, "invalid parameter: template_card")
	}
	known := false
	for _, t := range types {
		known = known || c.Type == t
	}
	interactive := strings.HasSuffix(c.Type, "_interaction")
	switch {
	case !known:
		return nil, no(40035, "invalid parameter: card_type %q", c.Type)
	case c.MainTitle.Title == "" && c.SubTitle == "":
		return nil, no(41016, "missing title")
	case len(c.Rows) > maxRows:
		return nil, no(40058, "horizontal_content_list exceed max length %d", maxRows)
	case len(c.Jumps) > maxJumps:
		return nil, no(40058, "jump_list exceed max length %d", maxJumps)
	case len(c.Columns) > maxColumns:
		return nil, no(40058, "vertical_content_list exceed max length %d", maxColumns)
	case !interactive && (c.Action == nil || c.Action.Type == 1 && c.Action.URL == ""):
		return nil, no(40035, "invalid parameter: card_action missing")
	case c.Type == "button_interaction" && (len(c.Buttons) == 0 || len(c.Buttons) > maxButtons):
		return nil, no(40058, "button_list exceed max length %d, or empty", maxButtons)
	case interactive && c.TaskID == "", c.TaskID != "" && (len(c.TaskID) > maxTaskID || !taskForm.MatchString(c.TaskID)):
		return nil, no(42014, "invalid task_id")
	}
	for _, row := range c.Rows {
		if row.Name == "" || row.Type == 1 && row.URL == "" {
			return nil, no(40035, "invalid parameter: horizontal_content_list wants keyname, and url with type 1")
		}
	}
	for _, jump := range c.Jumps {
		if jump.Title == "" || jump.Type == 1 && jump.URL == "" {
			return nil, no(40035, "invalid parameter: jump_list wants title, and url with type 1")
		}
	}
	for _, b := range c.Buttons {
		if b.Text == "" || b.Key == "" || len(b.Key) > maxEventKey {
			return nil, no(40035, "invalid parameter: button_list wants text and key")
		}
	}
	return c, nil
}

// readArticles checks a news post. What is too long is cut, as WeCom does without a word.
func readArticles(part map[string]any) (list []Article, cut bool, re *reply) {
	raw, _ := json.Marshal(part["articles"])
	if json.Unmarshal(raw, &list) != nil {
		return nil, false, no(40035, "invalid parameter: articles")
	}
	if len(list) < 1 || len(list) > maxArticles {
		return nil, false, no(45008, "article size out of limit: %d, want 1 to %d", len(list), maxArticles)
	}
	for k := range list {
		a := &list[k]
		switch {
		case a.Title == "":
			return nil, false, no(41016, "missing title")
		case a.URL == "":
			return nil, false, no(40035, "invalid parameter: an article wants a url")
		}
		for _, field := range []struct {
			text *string
			most int
		}{{&a.Title, maxArticleTitle}, {&a.Description, maxDescription}} {
			if len(*field.text) > field.most {
				*field.text, cut = strings.ToValidUTF8((*field.text)[:field.most], ""), true
			}
		}
	}
	return list, cut, nil
}

// read shows a card: its texts are plain, its rows, jumps and itself lead somewhere.
func (c *Card) read() Seen {
	r := new(reader)
	r.card(c.MainTitle.Title, "card-title")
	r.card(c.MainTitle.Desc, "card-desc")
	for line := range strings.Lines(c.SubTitle) {
		r.card(strings.TrimSuffix(line, "\n"), "card-desc")
	}
	for _, row := range c.Rows {
		r.open("card-row", "")
		r.wrap(`<span class="card-key">`, "</span>", func() { r.plain(row.Name) })
		r.text.WriteString(" ")
		if row.Type == 1 {
			r.link(row.URL, row.Value)
		} else {
			r.plain(row.Value)
		}
		r.close()
	}
	for _, column := range c.Columns {
		r.card(column.Title, "card-key")
		r.card(column.Desc, "card-desc")
	}
	for _, jump := range c.Jumps {
		r.open("card-jump", "")
		r.link(jump.URL, jump.Title)
		r.close()
	}
	if c.Action != nil && c.Action.URL != "" {
		r.links = append(r.links, c.Action.URL)
	}
	return r.seen()
}

// card writes one plain line.
func (r *reader) card(text, class string) {
	if text != "" {
		r.block(class, text, false)
	}
}

// readNews shows articles: the description of one that is alone, only the titles of several.
func readNews(list []Article) Seen {
	r := new(reader)
	for k, a := range list {
		class := "article"
		if k == 0 {
			class = "article first"
		}
		r.open(class, "")
		r.link(a.URL, a.Title)
		r.close()
		if k == 0 {
			r.card(a.Description, "card-desc")
		}
	}
	return r.seen()
}
