//go:build unix

package source

import (
	"os/exec"
	"syscall"
)

// ownGroup lets the end of a command's context end the programs that it started as well.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
