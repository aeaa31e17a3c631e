package wecom

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"weeklybot/bot"
)

// Headlines: a digest that is nothing but linked titles becomes a card where it fits one, or, as the operator likes, a row of news
// articles. Everything else, and what does not fit, is a text. Nothing is left out for the form's sake.

// headlineForm is adapters.wecom.headlines.
type headlineForm string

const (
	headlineCard headlineForm = "card" // template_card of up to six titles, else a text
	headlineNews headlineForm = "news" // news of eight articles a post
	headlineList headlineForm = "list" // a text always
)

// What a card of type text_notice and a news article may hold. WeCom calls the card's sizes advice, longer texts are hidden in part by
// its clients; an article's are cut without a word. Source: developer.work.weixin.qq.com/document/path/91770, read 2026-11.
const (
	maxCardTitle   = 26  // characters
	maxCardText    = 112 // characters
	maxCardRows    = 6
	maxRowName     = 5 // characters
	maxRowValue    = 26
	maxCardJumps   = 3
	maxJumpTitle   = 13  // characters
	maxArticles    = 8   // a post
	maxArticle     = 128 // bytes of an article's title …
	maxDescription = 512 // … and of its description
)

// templateCard is the body's part that holds a card.
type templateCard struct {
	CardType  string       `json:"card_type"`
	MainTitle cardTitle    `json:"main_title"`
	SubTitle  string       `json:"sub_title_text,omitempty"`
	Rows      []cardRow    `json:"horizontal_content_list,omitempty"`
	Jumps     []cardLink   `json:"jump_list,omitempty"`
	Action    *cardLink    `json:"card_action,omitempty"`
	Buttons   []cardButton `json:"button_list,omitempty"`
	TaskID    string       `json:"task_id,omitempty"`
}

type cardTitle struct {
	Title string `json:"title"`
}

// linkType says that a row, a jump or the card leads to a web address.
const linkType = 1

type cardRow struct {
	Name  string `json:"keyname"`
	Value string `json:"value"`
	Type  int    `json:"type"`
	URL   string `json:"url"`
}

type cardLink struct {
	Type  int    `json:"type"`
	Title string `json:"title,omitempty"`
	URL   string `json:"url"`
}

// news is the body's part that holds articles.
type news struct {
	Articles []article `json:"articles"`
}

type article struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	URL         string `json:"url"`
}

// headlines is a message of linked titles, taken apart. All of it is safe.
type headlines struct {
	title  string
	texts  []string // summary and notes
	titles []headline
	links  []cardLink
}

type headline struct {
	section string // the heading above it, "" = none
	title   string
	url     string
}

// takeHeadlines takes a message apart; false = it is more than linked titles.
func takeHeadlines(msg bot.Message) (h headlines, ok bool) {
	h.title = cardText(msg.Title)
	section, empty := "", false // a heading with nothing below it would be lost
	for _, b := range msg.Blocks {
		switch b.Kind {
		case bot.BlockHeading:
			if empty {
				return h, false
			}
			section = cardText(b.Text)
			empty = section != ""
		case bot.BlockItem:
			to, _ := linkURL(b.URL)
			if b.Text != "" || b.Level != 0 || len(b.Links) > 0 || to == "" || cardText(b.Title) == "" {
				return h, false
			}
			h.titles = append(h.titles, headline{section, cardText(b.Title), to})
			empty = false
		case bot.BlockText, bot.BlockNote, bot.BlockLinks:
			if text := cardText(b.Text); text != "" {
				h.texts = append(h.texts, text)
			}
			for _, l := range b.Links {
				to, _ := linkURL(l.URL)
				if to == "" {
					return h, false
				}
				h.links = append(h.links, cardLink{linkType, cardText(l.Text), to})
			}
		default:
			return h, false
		}
	}
	return h, h.title != "" && len(h.titles) > 0 && !empty && msg.Image == nil
}

// cardText is s as one safe line for a place that knows no markup.
func cardText(s string) string { return strings.ReplaceAll(plainText.text(s), `\`, "＼") }

func atMost(s string, characters int) bool { return utf8.RuneCountInString(s) <= characters }

// card is the message as a card, if it fits one: a row a title, named by its section or its number.
func card(msg bot.Message) (c templateCard, ok bool) {
	h, ok := takeHeadlines(msg)
	text := strings.Join(h.texts, "\n")
	if !ok || len(h.titles) > maxCardRows || len(h.links) > maxCardJumps || !atMost(h.title, maxCardTitle) || !atMost(text, maxCardText) {
		return c, false
	}
	c = templateCard{CardType: "text_notice", MainTitle: cardTitle{h.title}, SubTitle: text, Jumps: h.links}
	for k, t := range h.titles {
		if t.section == "" {
			t.section = strconv.Itoa(k + 1)
		}
		if !atMost(t.section, maxRowName) || !atMost(t.title, maxRowValue) {
			return c, false
		}
		c.Rows = append(c.Rows, cardRow{t.section, t.title, linkType, t.url})
	}
	for _, l := range h.links {
		if l.Title == "" || !atMost(l.Title, maxJumpTitle) {
			return c, false
		}
	}
	c.Action = &cardLink{Type: linkType, URL: h.front()}
	return c, true
}

// front is where the whole message leads: to its first link, else to its first title.
func (h headlines) front() string {
	if len(h.links) > 0 {
		return h.links[0].URL
	}
	return h.titles[0].url
}

// articles are one part of the message as news: an article with the message's own title and texts, and one for each title. fits = as
// much as one post takes.
func articles(msg bot.Message, part, parts int) (n news, fits, ok bool) {
	h, ok := takeHeadlines(msg)
	if !ok || len(h.links) > 1 { // an article leads to one place
		return n, false, false
	}
	if parts > 1 {
		h.title = fmt.Sprintf("%s (%d/%d)", h.title, part, parts)
	}
	n.Articles = append(n.Articles, article{h.title, strings.Join(h.texts, "\n"), h.front()})
	for _, t := range h.titles {
		if t.section != "" {
			t.title = "【" + t.section + "】" + t.title
		}
		n.Articles = append(n.Articles, article{t.title, "", t.url})
	}
	for _, a := range n.Articles {
		if len(a.Title) > maxArticle || len(a.Description) > maxDescription {
			return n, false, false
		}
	}
	return n, len(n.Articles) <= maxArticles, true
}

// splitHeadlines cuts a message that goes out as a card or as news; false = it goes out as text.
func splitHeadlines(f form, msg bot.Message) ([]bot.Message, bool) {
	if f.headlines == headlineCard {
		_, ok := card(msg)
		return []bot.Message{msg}, ok
	}
	if f.headlines != headlineNews {
		return nil, false
	}
	if _, _, ok := articles(msg, 99, 99); !ok {
		return nil, false
	}
	return bot.Split(msg, func(m bot.Message) bool {
		titles := 0
		for _, b := range m.Blocks {
			if b.Kind == bot.BlockItem {
				titles++
			}
		}
		return titles < maxArticles // and the message's own
	}), true
}

// headlinePost is one part as a card or as news; false = it is a text. Of several parts none is a card: they look alike.
func headlinePost(f form, p bot.Post) (body post, ok bool) {
	switch f.headlines {
	case headlineCard:
		if p.Parts > 1 {
			return body, false
		}
		c, ok := card(p.Message)
		return post{MsgType: "template_card", Card: &c}, ok
	case headlineNews:
		n, fits, ok := articles(p.Message, p.Part, p.Parts)
		return post{MsgType: "news", News: &n}, ok && fits
	default:
		return body, false
	}
}
