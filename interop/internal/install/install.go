//go:build interop

// Package install keeps the servers that tests run, in a folder of this project among
// the user's caches.
package install

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// limit bounds what is installed before a server can start.
const limit = 15 * time.Minute

// Once returns a file or folder among the user's caches, called name. If it is not
// there, install makes it, in an empty folder, and says where.
func Once(name string, install func(ctx context.Context, scratch string) (string, error)) (string, error) {
	caches, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	caches = filepath.Join(caches, "m2mguard-interop")
	wanted := filepath.Join(caches, name)
	if _, err := os.Stat(wanted); err == nil {
		return wanted, nil
	}
	if err := os.MkdirAll(caches, 0o755); err != nil {
		return "", err
	}
	scratch, err := os.MkdirTemp(caches, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	made, err := install(ctx, scratch)
	if err != nil {
		return "", err
	}
	if err := os.Rename(made, wanted); err != nil {
		if _, there := os.Stat(wanted); there != nil { // not by another run meanwhile
			return "", err
		}
	}
	return wanted, nil
}

// Succeed runs cmd and returns what it wrote to its standard output. The error has
// all that it printed.
func Succeed(cmd *exec.Cmd) (output []byte, err error) {
	var out, printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &printed
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", filepath.Base(cmd.Path), err, &out, &printed)
	}
	return out.Bytes(), nil
}
