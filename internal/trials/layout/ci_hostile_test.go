package layout_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestCIFolder: .ci/run and .ci/tidy work in their own tree, also where CDPATH leads
// elsewhere.
func TestCIFolder(t *testing.T) {
	const hijacked = "another tree was here"
	elsewhere, path := t.TempDir(), t.TempDir()
	for _, folder := range []string{".ci", "fleet"} {
		if err := os.Mkdir(filepath.Join(elsewhere, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(elsewhere, ".ci", "needs"), []byte("echo "+hijacked+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	program(t, filepath.Join(path, "go"), "pwd; exit 1")
	env := []string{"PATH=" + path + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "CDPATH=" + elsewhere}
	if got := runCI(t, "run", env, "nothing"); strings.Contains(got, hijacked) || !strings.Contains(got, "no group nothing") {
		t.Errorf("%s", got)
	}
	fleet, err := filepath.Abs("../../../fleet")
	if err != nil {
		t.Fatal(err)
	}
	if got := runCI(t, "tidy", env, "-diff", "fleet"); strings.TrimSpace(got) != fleet {
		t.Errorf("%s", got)
	}
}

// TestCISignal: a signal ends .ci/run and what its step has started, and nothing has passed.
func TestCISignal(t *testing.T) {
	signals := map[syscall.Signal]int{syscall.SIGTERM: 143}
	if !signal.Ignored(syscall.SIGINT) { // which bash could not change, as where a shell put this in the background
		signals[syscall.SIGINT] = 130
	}
	for sent, status := range signals {
		t.Run(sent.String(), func(t *testing.T) {
			t.Parallel()
			path := t.TempDir()
			program(t, filepath.Join(path, "go"), `[[ $1 == version ]] && echo go version go99.0 linux/amd64 && exit
echo "go $*"; sleep 20; echo it went on; exit 1`)
			cmd := exec.Command(lookPath(t, "bash"), ".ci/run", "root")
			cmd.Dir, cmd.Env = "../../..", []string{"PATH=" + path + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
			output, err := cmd.StdoutPipe() // whose end comes when nobody is left who writes there
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(output)
			for line := ""; line != "go mod download\n"; {
				if line, err = lines.ReadString('\n'); err != nil {
					t.Fatal(err, cmd.Wait())
				}
			}
			if err := cmd.Process.Signal(sent); err != nil {
				t.Error(err)
			}
			rest, err := io.ReadAll(lines)
			if err != nil {
				t.Error(err)
			}
			_ = cmd.Wait() // the status says it
			if got := string(rest); cmd.ProcessState.ExitCode() != status || strings.Contains(got, "it went on") ||
				strings.Contains(got, "passed") || !strings.Contains(got, "== failed after") {
				t.Errorf("%v\n%s", cmd.ProcessState, got)
			}
		})
	}
}

// runCI returns what a script prints that is called by its path from the tree, where it
// fails.
func runCI(t *testing.T, script string, env []string, args ...string) string {
	t.Helper()
	for _, file := range []string{"run", "needs", "tidy"} { // so that go test runs it again after a change of theirs
		if _, err := os.ReadFile("../../../.ci/" + file); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(lookPath(t, "bash"), append([]string{".ci/" + script}, args...)...)
	cmd.Dir, cmd.Env = "../../..", env
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err == nil {
		t.Error("it passed")
	}
	return output.String()
}

// program writes a program in bash.
func program(t *testing.T, name, does string) {
	t.Helper()
	if err := os.WriteFile(name, fmt.Appendf(nil, "#!%s\n%s\n", lookPath(t, "bash"), does), 0o755); err != nil {
		t.Fatal(err)
	}
}
