package source

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// wants says whether a file (path below the source, with slashes) is included and not excluded. No include pattern means all.
func (c *Config) wants(name string) bool {
	matches := func(pattern string) bool { return glob(pattern, name) }
	return (len(c.Include) == 0 || slices.ContainsFunc(c.Include, matches)) && !slices.ContainsFunc(c.Exclude, matches)
}

// checkGlob refuses a pattern that can never match.
func checkGlob(pattern string) error {
	for part := range strings.SplitSeq(pattern, "/") {
		if _, err := path.Match(part, ""); err != nil {
			return fmt.Errorf("pattern %q is not well formed", pattern)
		}
	}
	return nil
}

// glob matches a path against a pattern: * ? [a-z] within one name, ** for any number of folders. A pattern without a slash is
// for the file's own name, in any folder; one that ends in a slash is for everything below that folder.
func glob(pattern, name string) bool {
	pattern = strings.TrimPrefix(pattern, "./")
	if !strings.Contains(pattern, "/") {
		name = path.Base(name)
	}
	if strings.HasSuffix(pattern, "/") {
		pattern += "**"
	}
	return globParts(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

// globParts fills a table of which ends of the pattern match which ends of the path, so that its cost is their product.
func globParts(pattern, name []string) bool {
	below := make([]bool, len(name)+1) // pattern[p+1:] matches name[n:]
	below[len(name)] = true
	for p := len(pattern) - 1; p >= 0; p-- {
		at := make([]bool, len(name)+1)
		for n := len(name); n >= 0; n-- {
			if pattern[p] == "**" {
				at[n] = below[n] || n < len(name) && at[n+1]
			} else if n < len(name) && below[n+1] {
				at[n], _ = path.Match(pattern[p], name[n])
			}
		}
		below = at
	}
	return below[0]
}
