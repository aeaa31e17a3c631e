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
// It sets the Topics of every item from topics, which may be nil, and moves what the issues hold into few pieces of memory; an issue
// whose items have topics (not nil) stays as it is, so that issues of one Library can be given to the next while others read them. The
// caller gives the issues away.
func NewLibrary(issues []*Issue, topics *Topics) *Library {
	sorted := slices.Clone(issues)
	slices.SortStableFunc(sorted, func(a, b *Issue) int {
		return cmp.Or(cmp.Compare(b.Date, a.Date), cmp.Compare(number(b), number(a)), cmp.Compare(a.Source, b.Source))
	})
	l := &Library{byKey: make(map[string]*Issue, len(sorted))}
	Prepare(issues, topics)
	for _, i := range sorted {
		key := i.Key()
		if l.byKey[key] != nil {
			continue
		}
		l.byKey[key] = i
		l.issues = append(l.issues, i)
	}
	return l
}

// Prepare does what NewLibrary does to the issues themselves. Who shows them to others before they are in a Library calls it first.
func Prepare(issues []*Issue, topics *Topics) {
	var fresh []*Issue
	for _, i := range issues {
		if tag(i, topics) {
			fresh = append(fresh, i)
		}
	}
	pack(fresh)
}

// tag sets the topics of an issue's items, all or, if the first has some, none; it says which.
func tag(i *Issue, topics *Topics) (tagged bool) {
	for s := range i.Sections {
		for k := range i.Sections[s].Items {
			it := &i.Sections[s].Items[k]
			if it.Topics != nil {
				return false
			}
			it.Topics, tagged = topics.Of(it), true
		}
	}
	return tagged
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
