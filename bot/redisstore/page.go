package redisstore

import (
	"encoding/json"
	"fmt"
	"time"

	"weeklybot/bot"
)

// pageVersion is the first byte of a packed page.
const pageVersion = 1

// entryRoom and headRoom are what an entry, and what is before them, take in most pages, in bytes.
const entryRoom, headRoom = 12, 256

// packPage writes what the entries share (runs, recipes) once, then 13 to 16 bytes per delivery.
func packPage(pg bot.Page) []byte {
	type run struct {
		id  string
		due int64
	}
	var runs []run
	var recipes []string
	runAt, recipeAt := map[string]int{}, map[string]int{}
	p := make(packer, 0, entryRoom*len(pg.Entries))
	r, c := 0, 0 // of the entry before
	for i := range pg.Entries {
		e, before := &pg.Entries[i], &pg.Entries[max(0, i-1)]
		known := false
		if i == 0 || e.Run != before.Run {
			if r, known = runAt[e.Run]; !known {
				r = len(runs)
				runAt[e.Run] = r
				runs = append(runs, run{e.Run, e.Due.Unix()})
			}
		}
		if i == 0 || e.Recipe != before.Recipe && !e.Recipe.Equal(*before.Recipe) {
			recipe := toJSON(e.Recipe)
			if c, known = recipeAt[recipe]; !known {
				c = len(recipes)
				recipeAt[recipe] = c
				recipes = append(recipes, recipe)
			}
		}
		owed := uint64(0)
		if e.Owed {
			owed = 1
		}
		p.member(e.Member)
		p.uint(uint64(r))
		p.uint(uint64(c)<<1 | owed)
	}
	head := make(packer, 0, headRoom+len(p))
	head.byte(pageVersion)
	head.string(pg.Lane)
	head.uint(uint64(len(runs)))
	for _, r := range runs {
		head.string(r.id)
		head.uint(uint64(r.due))
	}
	head.strings(recipes)
	head.uint(uint64(len(pg.Entries)))
	return append(head, p...)
}

func unpackPage(number int64, b string) (bot.Page, error) {
	pg := bot.Page{Number: number}
	u := &unpacker{rest: b}
	if v := u.byte(); u.err == nil && v != pageVersion {
		return pg, fmt.Errorf("page %d of version %d, this program knows %d: %w", number, v, pageVersion, errDamaged)
	}
	pg.Lane = u.string()
	type run struct {
		id  string
		due time.Time
	}
	var runs []run
	for range u.count() {
		runs = append(runs, run{u.string(), time.Unix(int64(u.uint()), 0)})
	}
	var recipes []bot.Recipe
	for _, text := range u.strings() {
		var r bot.Recipe
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return pg, fmt.Errorf("page %d: %w", number, errDamaged)
		}
		recipes = append(recipes, r)
	}
	for range u.count() {
		m, _ := unpackMember(u.raw(memberSize))
		r, c := u.uint(), u.uint()
		if r >= uint64(len(runs)) || c>>1 >= uint64(len(recipes)) {
			u.fail()
			break
		}
		pg.Entries = append(pg.Entries, bot.PageEntry{Member: m, Run: runs[r].id, Due: runs[r].due, Recipe: &recipes[c>>1], Owed: c&1 == 1})
	}
	if err := u.done(); err != nil {
		return pg, fmt.Errorf("page %d: %w", number, err)
	}
	return pg, nil
}
