// Package index answers searches over a Library: an inverted index of our own, in memory, for mixed Chinese and Latin text.
//
// It owns what a query means (words, topics, typing slips), which items match and in what order. It reads no files, keeps no
// state beyond one Library and speaks no language: shown sentences are the command router's. An Index is immutable and safe
// for concurrent use; Update makes a new one that shares most of the old.
//
// From a newsletter to an Index: terms.go cuts texts into terms, segment.go and posting.go keep which document holds which, articles.go finds
// one article in several issues, index.go puts segments together and replaces them. From a question to an answer: query.go takes it apart into
// groups, expand.go knows what else a word may mean, match.go walks the documents that fit, collect.go keeps the best, search.go leads and says
// why. trend.go counts.
package index
