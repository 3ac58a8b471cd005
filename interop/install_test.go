//go:build interop

package interop_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/m2mguard/m2mguard/interop/internal/install"
)

// maven runs Maven, which gets artifacts from wherever it does on this machine.
func maven(ctx context.Context, folder string, args ...string) error {
	if _, err := exec.LookPath("mvn"); err != nil {
		return fmt.Errorf("Maven is not installed: %w", err)
	}
	cmd := exec.CommandContext(ctx, "mvn", append([]string{"--batch-mode", "--no-transfer-progress", "--strict-checksums"}, args...)...)
	cmd.Dir = folder
	_, err := install.Succeed(cmd)
	return err
}

// java is the program of a JDK.
func java() string {
	if dir := os.Getenv("JAVA_HOME"); dir != "" {
		return filepath.Join(dir, "bin", "java")
	}
	return "java"
}
