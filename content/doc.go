// Package content is the vocabulary of newsletters: what an Issue, a Section, an Item and a Topic are, and the immutable
// Library that holds all Issues loaded together. It knows nothing of chats or of Redis, does no I/O and starts no goroutine.
//
// The packages below do the work: parse turns Markdown into Issues, source reads folders into a Library, index answers
// searches over one. All values are safe to read from many goroutines once built; nothing here is changed after that.
package content
