package source

import (
	"context"

	"weeklybot/content"
)

// Load reads files and folders once, for commands that answer and exit. Issues come in the order of the arguments, those of a
// folder in the order of their paths; a file that is named is read whatever its name. Each error is one line about one path; the
// other paths are read all the same.
func Load(ctx context.Context, paths []string) ([]*content.Issue, []error) {
	var issues []*content.Issue
	var faults []error
	for _, path := range paths {
		f, err := newFolder(Config{Path: path})
		if err != nil {
			faults = append(faults, err)
			continue
		}
		got, missed, err := f.load(ctx)
		if err != nil {
			missed = append(missed, err)
		}
		issues, faults = append(issues, got...), append(faults, missed...)
	}
	return issues, faults
}
