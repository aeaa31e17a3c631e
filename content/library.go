package content

import (
	"cmp"
	"slices"
)

// Library is an immutable set of Issues loaded together. The zero value is empty.
type Library struct {
	issues []*Issue
	byKey  map[string]*Issue
}

// NewLibrary orders issues (newest date first, undated last, then by source) and keeps the first of those that share a Key.
// It sets the Topics of every item from topics, which may be nil; an issue whose items have them (not nil) keeps them, so that
// issues of one Library can be given to the next while others read them. The caller gives the issues away.
func NewLibrary(issues []*Issue, topics *Topics) *Library {
	sorted := slices.Clone(issues)
	slices.SortStableFunc(sorted, func(a, b *Issue) int {
		return cmp.Or(cmp.Compare(b.Date, a.Date), cmp.Compare(number(b), number(a)), cmp.Compare(a.Source, b.Source))
	})
	l := &Library{byKey: make(map[string]*Issue, len(sorted))}
	for _, i := range sorted {
		finish(i, topics)
		key := i.Key()
		if l.byKey[key] != nil {
			continue
		}
		l.byKey[key] = i
		l.issues = append(l.issues, i)
	}
	return l
}

// finish sets the topics of an issue's items and packs it, if the first item has no topics yet: an issue changes once, before others
// read it.
func finish(i *Issue, topics *Topics) {
	fresh := false
	for s := range i.Sections {
		for k := range i.Sections[s].Items {
			it := &i.Sections[s].Items[k]
			if it.Topics != nil {
				return
			}
			it.Topics, fresh = topics.Of(it), true
		}
	}
	if fresh {
		pack(i)
	}
}

func number(i *Issue) int {
	if i.Number == nil {
		return -1
	}
	return *i.Number
}

// Issues are all issues, newest first. The slice is shared: do not change it.
func (l *Library) Issues() []*Issue {
	if l == nil {
		return nil
	}
	return l.issues
}

// Issue finds an issue by Key; nil when there is none.
func (l *Library) Issue(key string) *Issue {
	if l == nil {
		return nil
	}
	return l.byKey[key]
}

// Series names every series, ordered.
func (l *Library) Series() []string {
	var names []string
	for _, i := range l.Issues() {
		names = append(names, i.Series)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Latest is the newest issue of series that has items ("" = any series); nil when there is none.
func (l *Library) Latest(series string) *Issue {
	for _, i := range l.Issues() {
		if (series == "" || i.Series == series) && i.ItemCount() > 0 {
			return i
		}
	}
	return nil
}

// ItemCount is the number of items in all issues, nested entries not counted.
func (l *Library) ItemCount() int {
	n := 0
	for _, i := range l.Issues() {
		n += i.ItemCount()
	}
	return n
}
