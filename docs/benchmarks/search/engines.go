package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

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

func (o *ours) snapshot() engine { return &ours{o.x} } // an Index never changes

func (o *ours) close() error { return nil }

// bleveIndex is scorch on disk with the analyzer for Chinese, Japanese and Korean: pairs of characters, as ours has. It is set up to
// win: heading, title and text go into one field, nothing is stored, and no positions are kept, which no query here needs. So it
// cannot prefer titles, as the bot must.
type bleveIndex struct {
	dir string
	x   bleve.Index
}

// batchSize is the fastest of 200, 1,000, 5,000 and 20,000 on the machine of docs/benchmarks.md.
const batchSize = 1000

func bleveMapping() mapping.IndexMapping {
	field := bleve.NewTextFieldMapping()
	field.Analyzer = cjk.AnalyzerName
	field.Store, field.IncludeTermVectors, field.DocValues, field.IncludeInAll = false, false, false, false
	doc := bleve.NewDocumentStaticMapping()
	doc.AddFieldMappingsAt("text", field)
	m := bleve.NewIndexMapping()
	m.DefaultMapping, m.DefaultAnalyzer = doc, cjk.AnalyzerName
	return m
}

func buildBleve(issues []*content.Issue) (engine, error) {
	dir, err := os.MkdirTemp("", "bleve")
	if err != nil {
		return nil, err
	}
	b := &bleveIndex{dir: dir}
	if b.x, err = bleve.NewUsing(filepath.Join(dir, "index"), bleveMapping(), scorch.Name, scorch.Name, nil); err != nil {
		return nil, err
	}
	batch := b.x.NewBatch()
	for _, i := range issues {
		if err := fill(batch, i); err != nil {
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

func fill(batch *bleve.Batch, i *content.Issue) error {
	for s := range i.Sections {
		for k := range i.Sections[s].Items {
			it := &i.Sections[s].Items[k]
			if err := batch.Index(it.ID, map[string]any{"text": i.Sections[s].Heading + "\n" + it.FullText()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// merge makes one segment of all, so that searches are as fast as they get. The time is not counted.
func (b *bleveIndex) merge() error {
	advanced, err := b.x.Advanced()
	if err != nil {
		return err
	}
	return advanced.(*scorch.Scorch).ForceMerge(context.Background(), nil)
}

func (b *bleveIndex) search(text string, limit int) (ids []string, total int, err error) {
	match := query.NewMatchQuery(text)
	match.SetField("text")
	match.SetOperator(query.MatchQueryOperatorAnd)
	res, err := b.x.Search(bleve.NewSearchRequestOptions(match, limit, 0, false))
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
	if err := fill(batch, i); err != nil {
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
