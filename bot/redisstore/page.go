package redisstore

import (
	"encoding/json"
	"fmt"
	"time"

	"weeklybot/bot"
)

// pageVersion is the first byte of a packed page.
const pageVersion = 1

// packPage writes what the entries share (runs, recipes) once, then 13 to 16 bytes per delivery.
func packPage(pg bot.Page) []byte {
	type run struct {
		id  string
		due int64
	}
	var runs []run
	var recipes []string
	runAt, recipeAt := map[string]int{}, map[string]int{}
	p := packer{}
	c := 0 // of the entry before
	for i, e := range pg.Entries {
		r, ok := runAt[e.Run]
		if !ok {
			r = len(runs)
			runAt[e.Run] = r
			runs = append(runs, run{e.Run, e.Due.Unix()})
		}
		if i == 0 || e.Recipe != pg.Entries[i-1].Recipe && !e.Recipe.Equal(*pg.Entries[i-1].Recipe) {
			recipe := toJSON(e.Recipe)
			if c, ok = recipeAt[recipe]; !ok {
				c = len(recipes)
				recipeAt[recipe] = c
				recipes = append(recipes, recipe)
			}
		}
		p.raw([]byte(packMember(e.Member)))
		p.uint(uint64(r))
		p.uint(uint64(c)<<1 | map[bool]uint64{true: 1}[e.Owed])
	}
	head := packer{pageVersion}
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
