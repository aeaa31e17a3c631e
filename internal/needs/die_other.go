//go:build !linux

package needs

import "syscall"

// diesWithParent has no equivalent here: a killed test may leave a redis-server behind.
func diesWithParent() *syscall.SysProcAttr { return nil }
