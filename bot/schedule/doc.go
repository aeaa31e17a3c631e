// Package schedule turns what people write about time into a bot.Schedule, and a bot.Schedule into the instants it runs at.
//
// It owns the words ("every monday 9am", "每周一 9:00", cron), the names of time zones and the rule of what a schedule means on
// the days when clocks change: a planned time is a wall-clock time, and it runs at the first instant at which the zone's clock
// shows that time or a later one. A time in a gap therefore runs right after the gap, a time that occurs twice runs at its first
// occurrence, and each planned time runs exactly once.
//
// It refuses to run anything: when a run is due, missed or caught up is decided where the slots are stored. Everything here is
// pure and safe for concurrent use.
package schedule
