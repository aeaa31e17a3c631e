package content

// Query is one search over a Library.
type Query struct {
	Text  string // what the person typed after the command
	Limit int    // most hits wanted; 0 = 50
	Hot   bool   // rank by relevance (squared) × recency × Votes instead of relevance alone
	Lang  string // "zh" or "en": how topics are shown in Near; "" = as the text is written
	// Votes are the net votes of readers by item ID, useful less not useful; an item that is not in it has none. Only Hot counts them:
	// they lift an item to at most 1.5 times its score, or sink it to half. The map is not to change while a search runs.
	Votes map[string]int
}

// Hit is one item that answers a Query. The pointers lead into the Library and are not to be changed.
type Hit struct {
	Item    *Item
	Section *Section
	Issue   *Issue
	Score   float64 // higher is better; comparable within one Result only
	Why     string  // in words: which terms matched and where
	Also    []Ref   // the same article in other issues
}

// Ref points to one appearance of an article.
type Ref struct {
	Item  *Item
	Issue *Issue
}

// Result answers a Query, best hit first.
type Result struct {
	Hits  []Hit
	Total int      // hits before Limit
	Near  []string // when there are no hits: the nearest topics, by their shown names
	// Popular says that no topic is near, and Near are those with the most items.
	Popular bool
}

// TopicCount is how often a topic is named, newest weeks against those before.
type TopicCount struct {
	Topic  string // canonical name
	Recent int    // items of the newest weeks
	Before int    // items of as many weeks before
	Score  float64
}
