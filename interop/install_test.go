//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// installTime bounds what is installed before a server can start.
const installTime = 15 * time.Minute

// installed returns a file or folder among the user's caches, called name. If it is
// not there, install makes it, in an empty folder, and says where.
func installed(name string, install func(ctx context.Context, scratch string) (string, error)) (string, error) {
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
	ctx, cancel := context.WithTimeout(context.Background(), installTime)
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

// maven runs Maven, which gets artifacts from wherever it does on this machine.
func maven(ctx context.Context, folder string, args ...string) error {
	if _, err := exec.LookPath("mvn"); err != nil {
		return fmt.Errorf("Maven is not installed: %w", err)
	}
	cmd := exec.CommandContext(ctx, "mvn", append([]string{"--batch-mode", "--no-transfer-progress", "--strict-checksums"}, args...)...)
	cmd.Dir = folder
	return succeed(cmd)
}

// succeed runs cmd. The error has all that it printed.
func succeed(cmd *exec.Cmd) error {
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, &printed)
	}
	return nil
}

// java is the program of a JDK.
func java() string {
	if dir := os.Getenv("JAVA_HOME"); dir != "" {
		return filepath.Join(dir, "bin", "java")
	}
	return "java"
}
