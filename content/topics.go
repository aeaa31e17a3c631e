package content

// Topics is the table of topics: canonical names, shown names and aliases. A nil *Topics knows none.
type Topics struct{}

// Of names the topics of an item, canonical, ordered, without repeats.
func (t *Topics) Of(it *Item) []string { return nil }
