package index

import (
	"hash/fnv"
	"slices"
	"strings"
	"unicode/utf8"

	"weeklybot/content"
	"weeklybot/content/internal/words"
)

// The same article often stands in several issues. Two documents are one article when their canonical URLs are the same, or
// their titles are, letters and digits alone compared and long enough to mean something. A title counts without what newsletters put
// around it: 【译】 in front, the name of the site behind a bar.

// minTitleLetters is how many letters a title needs to name one article; a Han character counts as two.
const minTitleLetters = 16

// articleKey is a URL or a title of one document: the upper bits of its hash, then the document. What has one hash is compared.
type articleKey uint64

// docBits hold the number of a document.
const docBits = 28

func newArticleKey(hash uint64, doc int) articleKey {
	return articleKey(hash&^(1<<docBits-1) | uint64(doc))
}

func (k articleKey) hash() uint64 { return uint64(k) >> docBits }

func (k articleKey) doc() uint32 { return uint32(k) & (1<<docBits - 1) }

// ref is one document of an Index.
type ref struct {
	part int32
	doc  uint32
}

func articleKeys(s *segment) []articleKey {
	keys := make([]articleKey, 0, 2*len(s.docs))
	for d := 1; d < len(s.docs); d++ {
		it := s.item(uint32(d))
		if u := content.CanonicalURL(it.URL); u != "" {
			keys = append(keys, newArticleKey(hash("u", u), d))
		}
		if t := titleKey(bare(it.Title)); t != "" {
			keys = append(keys, newArticleKey(hash("t", t), d))
		}
	}
	slices.Sort(keys)
	return slices.Clip(keys)
}

// sameArticle says whether the URLs or the titles of two items are the same, not only their hashes.
func sameArticle(a, b *content.Item) bool {
	if u := content.CanonicalURL(a.URL); u != "" && u == content.CanonicalURL(b.URL) {
		return true
	}
	t := titleKey(bare(a.Title))
	return t != "" && t == titleKey(bare(b.Title))
}

func hash(kind, s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(kind))
	h.Write([]byte(s))
	return h.Sum64()
}

// bare is title without a mark of one to four characters in brackets in front, and without the name of a site behind the only bar.
func bare(title string) string {
	for _, brackets := range [...][2]string{{"【", "】"}, {"[", "]"}, {"（", "）"}, {"(", ")"}} {
		if rest, ok := strings.CutPrefix(title, brackets[0]); ok {
			if mark, after, ok := strings.Cut(rest, brackets[1]); ok && utf8.RuneCountInString(mark) <= 4 {
				title = after
			}
		}
	}
	if head, site, ok := strings.Cut(title, " | "); ok && !strings.ContainsAny(site, "|0123456789") && titleKey(head) != "" {
		title = head
	}
	return title
}

// titleKey is the title's letters and digits; "" when there are too few of them.
func titleKey(title string) string {
	var key []byte
	letters := 0
	words.All(title, func(tok words.Token) {
		key = append(key, tok.Text...)
		letters += 2
		if tok.Kind == words.Word {
			letters += len(tok.Text) - 2
		}
	})
	if letters < minTitleLetters {
		return ""
	}
	return string(key)
}

// articles says which documents of an Index are one article.
type articles struct {
	group   [][]uint32 // by part and document: number of its group, 0 = alone
	members [][]ref    // by group; the first is unused
}

// join finds the articles of part n, the newest, among its own documents and those of the parts before.
func (a *articles) join(parts []part, n int) {
	keys := parts[n].seg.keys
	for k := 1; k < len(keys); k++ {
		if keys[k].hash() == keys[k-1].hash() {
			a.link(parts, ref{int32(n), keys[k-1].doc()}, ref{int32(n), keys[k].doc()})
		}
	}
	for p := range n {
		older := parts[p].seg.keys
		for _, key := range keys {
			at, _ := slices.BinarySearch(older, newArticleKey(uint64(key), 0))
			if at < len(older) && older[at].hash() == key.hash() {
				a.link(parts, ref{int32(p), older[at].doc()}, ref{int32(n), key.doc()})
			}
		}
	}
}

func (a *articles) groupOf(r ref) *uint32 { return &a.group[r.part][r.doc] }

func (a *articles) link(parts []part, x, y ref) {
	if x == y || !sameArticle(parts[x.part].seg.item(x.doc), parts[y.part].seg.item(y.doc)) {
		return
	}
	gx, gy := *a.groupOf(x), *a.groupOf(y)
	switch {
	case gx == 0 && gy == 0:
		*a.groupOf(x), *a.groupOf(y) = uint32(len(a.members)), uint32(len(a.members))
		a.members = append(a.members, []ref{x, y})
	case gx == gy:
	case gx == 0:
		a.add(gy, x)
	case gy == 0:
		a.add(gx, y)
	default:
		if len(a.members[gx]) < len(a.members[gy]) {
			gx, gy = gy, gx
		}
		for _, r := range a.members[gy] {
			a.add(gx, r)
		}
		a.members[gy] = nil
	}
}

func (a *articles) add(group uint32, r ref) {
	*a.groupOf(r) = group
	a.members[group] = append(a.members[group], r)
}

// clone is a copy that can grow while others read the old one; with is how many documents the new last part has.
func (a *articles) clone(with int) articles {
	out := articles{group: make([][]uint32, 0, len(a.group)+1), members: slices.Clone(a.members)}
	for _, g := range a.group {
		out.group = append(out.group, slices.Clone(g))
	}
	for k, m := range out.members {
		out.members[k] = slices.Clip(m)
	}
	out.group = append(out.group, make([]uint32, with))
	return out
}
