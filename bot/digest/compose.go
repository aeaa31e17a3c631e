package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"weeklybot/bot"
	"weeklybot/content"
)

// hotPageFirst is how many items of a growing page a first digest holds.
const hotPageFirst = 10

// layout is part of every Key: it rises when one recipe gives another Message than before.
const layout = 1

// Compose makes what r asks for out of entries and lib. entries is the catalogue, ascending: at least what lies in r, and all of it when r.First;
// nil lets a first digest take any issue, for a look ahead. items counts the items of the message, nested entries not counted; with 0 there is
// nothing to send. topics, which may be nil, gives topics their shown names.
func Compose(r bot.Recipe, entries []bot.Entry, lib *content.Library, topics *content.Topics) (msg bot.Message, items int) {
	chosen := choose(r, entries, lib)
	if len(chosen) == 0 {
		return bot.Message{}, 0
	}
	spread(chosen, r.MaxItems)
	w := writer{words: wordsOf(r.Lang), style: r.Style, topics: shownTopics(r, topics)}
	return w.digest(chosen), count(chosen)
}

// Issue is the digest of one issue alone, for previews and single sends. maxItems 0 = every item.
func Issue(i *content.Issue, style bot.Style, lang string, maxItems int) bot.Message {
	p := newPick(i, everything)
	spread([]*pick{p}, maxItems)
	w := writer{words: wordsOf(lang), style: style, alone: true}
	return w.digest([]*pick{p})
}

// Missing names the issues that r needs and lib does not hold: a Library behind the catalogue must be loaded again before Compose, or
// the digest is sent without them.
func Missing(r bot.Recipe, entries []bot.Entry, lib *content.Library) []string {
	var keys []string
	for _, e := range entries {
		if wanted(r, e) && lib.Issue(e.Key) == nil && !slices.Contains(keys, e.Key) {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

// Key names a recipe: equal for recipes that give the same Message, whatever the order of their series and topics. 32 hex digits.
func Key(r bot.Recipe) string {
	r.Series, r.Topics = sorted(r.Series), sorted(r.Topics)
	data, err := json.Marshal(struct {
		Layout int
		bot.Recipe
	}{layout, r})
	if err != nil {
		panic(err) // a Recipe holds nothing that JSON cannot
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

func sorted(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
