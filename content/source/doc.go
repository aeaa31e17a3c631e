// Package source reads newsletters from where they are kept into a Library and keeps it up to date. It owns what is read (which
// files, how large, how many), when it is read again, and that readers see either the old Library or the new one. How an issue is
// written is the parser's concern, who is told about new issues the caller's.
//
// One file per kind of source; a kind is a reader (see set.go). What is kept elsewhere (a git repository, a feed) is a remote: it is
// fetched into a folder of its own now and then, beside everything else, and read from there; a fetch that fails costs nothing that
// was read before. What strangers send to Handler can at most make a fetch come sooner, or store an issue when they hold a token.
//
// A Set is safe for concurrent use; Run owns its goroutines and returns after they have ended.
package source
