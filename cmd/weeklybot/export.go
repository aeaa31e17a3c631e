package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

type exportCmd struct {
	File string `arg:"" help:"File to write; - for standard output."`
}

// Run writes the whole state. The embedded store belongs to one process: stop the bot first.
func (e *exportCmd) Run(ctx context.Context, c *commands, s streams) error {
	db, err := c.database(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if e.File == "-" {
		_, err := db.store.Export(ctx, s.out)
		return err
	}
	n, err := exportFile(ctx, db, e.File)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "weeklybot: wrote %d channels to %s\n", n, e.File)
	return nil
}

// exportFile writes beside the file and renames: an export is whole, or the file is as it was.
func exportFile(ctx context.Context, db *database, path string) (int, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	w := bufio.NewWriter(tmp)
	n, err := db.store.Export(ctx, w)
	if err := errors.Join(err, w.Flush(), tmp.Sync(), tmp.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(tmp.Name(), path)
}

type importCmd struct {
	File string `arg:"" help:"File that export wrote; - for standard input."`
}

// Run fills an empty store.
func (i *importCmd) Run(ctx context.Context, c *commands, s streams) error {
	in := s.in
	if i.File != "-" {
		f, err := os.Open(i.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	db, err := c.database(ctx, s)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	n, err := db.store.Import(ctx, in)
	if err != nil {
		return fmt.Errorf("import %s: %w", i.File, err)
	}
	fmt.Fprintf(s.err, "weeklybot: read %d channels from %s\n", n, i.File)
	return nil
}

// database opens the store that the configuration names.
func (c *commands) database(ctx context.Context, s streams) (*database, error) {
	cfg, err := LoadConfig(c.Config)
	if err != nil {
		return nil, err
	}
	return openStore(ctx, cfg, c.logger(s, slog.LevelWarn))
}
