//go:build !unix

package source

import "os/exec"

// ownGroup has no equivalent here: the programs that git started end when their connection does.
func ownGroup(*exec.Cmd) {}
