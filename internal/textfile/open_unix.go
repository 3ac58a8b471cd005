//go:build unix

package textfile

import (
	"os"
	"syscall"
)

// open opens what may be a pipe, or become one meanwhile, without waiting for
// whoever writes to it, and a terminal without taking it over.
func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
}
