package bot

import "strings"

// Plain is m without links, images and layout: headings, items and notes become paragraphs. It is what a platform gets that refused m.
func Plain(m Message) Message {
	plain := Message{Title: m.Title, Notice: m.Notice, Lang: m.Lang, Public: m.Public}
	for _, b := range m.Blocks {
		var lines []string
		for _, s := range []string{b.Title, b.Text} {
			if s != "" {
				lines = append(lines, s)
			}
		}
		for _, l := range b.Links {
			lines = append(lines, l.Text)
		}
		if len(lines) > 0 {
			plain.Blocks = append(plain.Blocks, Block{Kind: BlockText, Text: strings.Join(lines, "\n")})
		}
	}
	return plain
}
