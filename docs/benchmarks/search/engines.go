package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis/lang/cjk"
	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/mapping"
	"github.com/blevesearch/bleve/v2/search/query"

	"weeklybot/content"
	"weeklybot/content/index"
)

// hitsWanted is the size of one answer.
const hitsWanted = 50

// engine is one side of the comparison.
type engine interface {
	// search gives the IDs of the best items that hold all words of text, and how many do.
	search(text string, limit int) (ids []string, total int, err error)
	// add makes one more issue searchable.
	add(i *content.Issue) error
	// settle is what has to be done once so that searches are as fast as they get. Its time is not counted.
	settle() error
	// snapshot may be searched while this one is added to.
	snapshot() engine
	close() error
}

// ours is the index of the bot.
type ours struct {
	x *index.Index
}

func buildOurs(issues []*content.Issue) (engine, error) {
	topics := content.DefaultTopics()
	return &ours{index.Build(content.NewLibrary(issues, topics), topics)}, nil
}

func (o *ours) search(text string, limit int) (ids []string, total int, err error) {
	res := o.x.Search(content.Query{Text: text, Limit: limit})
	for _, h := range res.Hits {
		ids = append(ids, h.Item.ID)
		for _, also := range h.Also {
			ids = append(ids, also.Item.ID)
		}
	}
	return ids, res.Total, nil
}

func (o *ours) add(i *content.Issue) error {
	all := append([]*content.Issue{i}, o.x.Library().Issues()...)
	o.x = o.x.Update(content.NewLibrary(all, content.DefaultTopics()))
	return nil
}

func (o *ours) settle() error { return nil }

func (o *ours) snapshot() engine { return &ours{o.x} } // an Index never changes

func (o *ours) close() error { return nil }

// bleveIndex is scorch on disk with the analyzer for Chinese, Japanese and Korean: pairs of characters, as ours has. Nothing is stored
// and no positions are kept, which no query here needs.
type bleveIndex struct {
	dir    string
	x      bleve.Index
	boosts map[string]float64 // by field
}

// Three ways to set bleve up. With all text in one field it is fastest, and cannot tell a title from a text. With two, a title and the rest,
// the bars of this comparison were set: a word counts in either, three times as much in a title. With three it does what the bot does.
var (
	oneField    = map[string]float64{"text": 1}
	twoFields   = map[string]float64{"title": 3, "text": 1}
	threeFields = map[string]float64{"title": 6, "heading": 1.5, "text": 1}
)

// batchSize is how many documents bleve gets at a time. Other sizes were not compared.
const batchSize = 1000

func (b *bleveIndex) mapping() mapping.IndexMapping {
	field := bleve.NewTextFieldMapping()
	field.Analyzer = cjk.AnalyzerName
	field.Store, field.IncludeTermVectors, field.DocValues, field.IncludeInAll = false, false, false, false
	doc := bleve.NewDocumentStaticMapping()
	for name := range b.boosts {
		doc.AddFieldMappingsAt(name, field)
	}
	m := bleve.NewIndexMapping()
	m.DefaultMapping, m.DefaultAnalyzer = doc, cjk.AnalyzerName
	return m
}

func buildBleve(boosts map[string]float64) func([]*content.Issue) (engine, error) {
	return func(issues []*content.Issue) (engine, error) {
		dir, err := os.MkdirTemp("", "bleve")
		if err != nil {
			return nil, err
		}
		b := &bleveIndex{dir: dir, boosts: boosts}
		if b.x, err = bleve.NewUsing(filepath.Join(dir, "index"), b.mapping(), scorch.Name, scorch.Name, nil); err != nil {
			return nil, err
		}
		batch := b.x.NewBatch()
		for _, i := range issues {
			if err := b.fill(batch, i); err != nil {
				return nil, err
			}
			if batch.Size() >= batchSize {
				if err := b.x.Batch(batch); err != nil {
					return nil, err
				}
				batch.Reset()
			}
		}
		return b, b.x.Batch(batch)
	}
}

func (b *bleveIndex) fill(batch *bleve.Batch, i *content.Issue) error {
	for s := range i.Sections {
		heading := i.Sections[s].Heading
		for k := range i.Sections[s].Items {
			it := &i.Sections[s].Items[k]
			doc := map[string]any{"title": it.Title, "heading": heading, "text": it.Text}
			switch len(b.boosts) {
			case 1:
				doc = map[string]any{"text": heading + "\n" + it.FullText()}
			case 2:
				doc = map[string]any{"title": it.Title, "text": heading + "\n" + it.Text}
			}
			if err := batch.Index(it.ID, doc); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle makes one segment of all.
func (b *bleveIndex) settle() error {
	advanced, err := b.x.Advanced()
	if err != nil {
		return err
	}
	return advanced.(*scorch.Scorch).ForceMerge(context.Background(), nil)
}

// query asks for all words, each in any of the fields.
func (b *bleveIndex) query(text string) query.Query {
	if len(b.boosts) == 1 {
		match := query.NewMatchQuery(text)
		match.SetField("text")
		match.SetOperator(query.MatchQueryOperatorAnd)
		return match
	}
	var all []query.Query
	for word := range strings.FieldsSeq(text) {
		var anywhere []query.Query
		for field, boost := range b.boosts {
			match := query.NewMatchQuery(word)
			match.SetField(field)
			match.SetBoost(boost)
			match.SetOperator(query.MatchQueryOperatorAnd)
			anywhere = append(anywhere, match)
		}
		all = append(all, query.NewDisjunctionQuery(anywhere))
	}
	return query.NewConjunctionQuery(all)
}

func (b *bleveIndex) search(text string, limit int) (ids []string, total int, err error) {
	res, err := b.x.Search(bleve.NewSearchRequestOptions(b.query(text), limit, 0, false))
	if err != nil {
		return nil, 0, fmt.Errorf("bleve: %w", err)
	}
	for _, h := range res.Hits {
		ids = append(ids, h.ID)
	}
	return ids, int(res.Total), nil
}

func (b *bleveIndex) add(i *content.Issue) error {
	batch := b.x.NewBatch()
	if err := b.fill(batch, i); err != nil {
		return err
	}
	return b.x.Batch(batch)
}

func (b *bleveIndex) snapshot() engine { return b }

func (b *bleveIndex) close() error {
	err := b.x.Close()
	os.RemoveAll(b.dir)
	return err
}
