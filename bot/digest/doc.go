// Package digest turns Issues into Messages: what a Subscription gets of what is new, and one Issue alone.
//
// It owns the layout of digests (styles, headings, order, what is left out and how that is said) and the cutting of sentences. It
// refuses to know platforms, limits and markup: a Message is plain text in blocks of any size, and adapters split and escape it.
// Everything here is pure and safe for concurrent use; two replicas with one Library compose the same bytes from one Recipe.
package digest
