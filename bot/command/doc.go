// Package command answers what members type: one grammar for every platform, one file per command.
//
// It owns the grammar, the names of commands in both languages, who may change subscriptions, and every sentence of an answer. It
// refuses to know platforms (an answer is a bot.Message), to search (a Searcher does) and to store (Subscriptions does). All limits
// are on what one person can ask for at once; pace is the adapters' and the web server's.
//
// A Router is safe for concurrent use. What it remembers between commands (answers given, pages to go on with) is bounded, kept in
// memory only, and nobody loses more than a "/more" with it.
package command
