// Package parse turns the text of one newsletter issue (Markdown, or the HTML of a mail) into a content.Issue. It owns every rule about
// layouts: what is a heading, an item, a title, a header field. It reads no files, fetches nothing and knows no newsletter by name:
// the rules describe layouts, and the form of an item is decided per section.
//
// Nothing fails here: what cannot be used costs a field and becomes a Warning. Cost grows linearly with the input; nesting, headers and
// the total size are capped. Parse keeps no state and may be called from many goroutines at once.
package parse
