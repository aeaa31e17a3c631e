package content

import (
	"slices"
	"strings"
)

// packed is how many issues share their pieces of memory. One that changes leaves its part behind until the others go too.
const packed = 64

// pack moves what issues hold into few pieces of memory: for packed of them one with all strings, one with the items, one with the lists
// of strings. What they were parsed from can then go, nothing has spare room, and a library of 100,000 items has hundreds of objects
// instead of half a million.
func pack(issues []*Issue) {
	for chunk := range slices.Chunk(issues, packed) {
		var p packer
		p.each(chunk)
		p.moving = true
		p.text.Grow(p.bytes)
		p.items = make([]Item, 0, p.itemCount)
		p.lists = make([]string, 0, p.listed)
		p.each(chunk)
	}
}

// packer goes over issues twice: it measures, then it moves.
type packer struct {
	moving                   bool
	bytes, itemCount, listed int
	text                     strings.Builder
	items                    []Item
	lists                    []string
}

func (p *packer) each(issues []*Issue) {
	for _, i := range issues {
		p.issue(i)
	}
}

func (p *packer) issue(i *Issue) {
	for _, s := range [...]*string{&i.Source, &i.Series, &i.Title, &i.Date, &i.Period[0], &i.Period[1], &i.Lang, &i.Summary} {
		p.string(s)
	}
	for _, l := range [...]*[]string{&i.Authors, &i.Editors, &i.Tags, &i.Categories} {
		p.strings(l)
	}
	for k := range i.Warnings {
		p.string(&i.Warnings[k].Text)
	}
	if p.moving {
		if i.Number != nil {
			n := *i.Number
			i.Number = &n
		}
		i.Sections = append(make([]Section, 0, len(i.Sections)), i.Sections...)
	}
	for k := range i.Sections {
		s := &i.Sections[k]
		p.string(&s.Heading)
		p.strings(&s.Path)
		p.itemList(&s.Items)
	}
}

func (p *packer) itemList(l *[]Item) {
	p.itemCount += len(*l)
	if p.moving && len(*l) > 0 {
		from := len(p.items)
		p.items = append(p.items, *l...)
		*l = p.items[from:len(p.items):len(p.items)]
	}
	for k := range *l {
		it := &(*l)[k]
		for _, s := range [...]*string{&it.ID, &it.Title, &it.URL, &it.Text, &it.By} {
			p.string(s)
		}
		p.list(&it.Links)
		for k := range it.Links {
			if it.Links[k] == it.URL {
				it.Links[k] = it.URL // no second copy
			} else {
				p.string(&it.Links[k])
			}
		}
		p.strings(&it.Tags)
		p.list(&it.Topics) // their names are the table's
		p.itemList(&it.Items)
	}
}

func (p *packer) strings(l *[]string) {
	p.list(l)
	for k := range *l {
		p.string(&(*l)[k])
	}
}

func (p *packer) list(l *[]string) {
	p.listed += len(*l)
	if p.moving && len(*l) > 0 {
		from := len(p.lists)
		p.lists = append(p.lists, *l...)
		*l = p.lists[from:len(p.lists):len(p.lists)]
	}
}

func (p *packer) string(s *string) {
	p.bytes += len(*s)
	if p.moving {
		from := p.text.Len()
		p.text.WriteString(*s)
		*s = p.text.String()[from:]
	}
}
