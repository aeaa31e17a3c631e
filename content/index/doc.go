// Package index answers searches over a Library: an inverted index of our own, in memory, for mixed Chinese and Latin text.
//
// It owns what a query means (words, topics, typing slips), which items match and in what order. It reads no files, keeps no
// state beyond one Library and speaks no language: shown sentences are the command router's. An Index is immutable and safe
// for concurrent use; Update makes a new one that shares most of the old.
package index
