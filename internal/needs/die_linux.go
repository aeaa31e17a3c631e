package needs

import "syscall"

// diesWithParent makes a child process end when the thread that started it does.
func diesWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
