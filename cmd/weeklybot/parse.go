package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"weeklybot/content"
	"weeklybot/content/source"
)

type parseCmd struct {
	JSON  bool     `help:"One issue a line, as JSON (docs/commands.md has the form)." name:"json"`
	Paths []string `arg:"" help:"Files or folders of newsletters." name:"path"`
}

// Run prints every issue; files that cannot be read are named on stderr, the others are printed all the same.
func (p *parseCmd) Run(ctx context.Context, s streams) error {
	issues, faults := source.Load(ctx, p.Paths)
	for _, i := range issues {
		if p.JSON {
			if err := writeJSON(s.out, i); err != nil {
				return err
			}
			continue
		}
		printIssue(s.out, i)
	}
	return reportAll(s, faults)
}

// reportAll prints each fault on a line of stderr.
func reportAll(s streams, faults []error) error {
	for _, f := range faults {
		fmt.Fprintf(s.err, "weeklybot: %v\n", f)
	}
	if len(faults) > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}

func printIssue(w io.Writer, i *content.Issue) {
	fmt.Fprintf(w, "%s\n  %s", i.Source, i.Title)
	for _, part := range []string{i.Series, i.Date, i.Lang} {
		if part != "" {
			fmt.Fprintf(w, " · %s", part)
		}
	}
	fmt.Fprintf(w, " · %d items\n", i.ItemCount())
	for _, section := range i.Sections {
		if len(section.Items) == 0 {
			continue
		}
		fmt.Fprintf(w, "  %s %s\n", strings.Repeat("#", max(1, section.Level)), section.Heading)
		for _, it := range section.Items {
			fmt.Fprintf(w, "    %5d  %s\n", it.Line, it.Title)
			if it.URL != "" {
				fmt.Fprintf(w, "           %s\n", it.URL)
			}
		}
	}
	for _, warning := range i.Warnings {
		fmt.Fprintf(w, "  line %d: %s\n", warning.Line, warning.Text)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
