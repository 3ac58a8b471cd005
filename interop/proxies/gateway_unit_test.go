//go:build interop

package proxies_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnit: systemd takes the unit of the page without a word, and calls it safe.
func TestUnit(t *testing.T) {
	const worst = "2.0" // of 10, as systemd-analyze security counts exposure
	analyze, err := find("systemd-analyze")
	if err != nil {
		t.Fatal(err)
	}
	units := filepath.Join(filepath.Dir(analyze.path), "../lib/systemd/system")
	run := func(args ...string) ([]byte, error) {
		cmd := exec.Command(analyze.path, args...)
		cmd.Env = append(analyze.env, "SYSTEMD_UNIT_PATH="+units)
		return cmd.CombinedOutput()
	}
	program, err := gateProgram()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/gateway/m2mguard.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "m2mguard.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/m2mguard", program)), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := run("verify", "--man=no", unit); err != nil || len(said) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, said)
	}
	said, err := run("security", "--offline=yes", "--threshold=20", "--no-pager", unit)
	if err != nil {
		t.Errorf("systemd-analyze security: more than %s: %v\n%s", worst, err, said)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	t.Log(lines[len(lines)-1])
}

// TestStatic: the program needs nothing of the machine that it runs on.
func TestStatic(t *testing.T) {
	program, err := gateProgram()
	if err != nil {
		t.Fatal(err)
	}
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("it needs %q, %v", libraries, err)
	}
}
