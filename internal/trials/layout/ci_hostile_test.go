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

// TestCICaches: root takes a HOME of its own, and removes it, where another user may have
// filled the present one's caches or written its settings, as with sudo -E. Another user who
// runs this test has nothing refused.
func TestCICaches(t *testing.T) {
	const ran = "this came from the caches"
	for name, c := range map[string]struct {
		anothers []string // below the home
		linked   string
		group    string
		runs     bool
	}{
		"root's own":              {nil, "", "nested", true},
		"another's home":          {[]string{"."}, "", "nested", false},
		"another's caches":        {[]string{".cache"}, "", "nested", false},
		"another's folder":        {[]string{".cache/m2mguard-redis"}, "", "nested", false},
		"a folder for later":      {[]string{".cache/m2mguard-node"}, "", "nested", false},
		"a link":                  {nil, ".cache/m2mguard-interop", "nested", false},
		"what needs no caches":    {[]string{"."}, "", "quickstart", false},
		"a folder of other tools": {[]string{".cache/pip"}, "", "nested", true},
		"Go's settings":           {[]string{".config/go/env"}, "", "quickstart", false},
		"Go's programs":           {[]string{"go/bin"}, "", "quickstart", false},
		"tidy":                    {[]string{"."}, "", "", false},
		"tidy, root's own":        {nil, "", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home, path, tmp := t.TempDir(), t.TempDir(), t.TempDir()
			for _, folder := range []string{".cache/m2mguard-redis", ".cache/m2mguard-node", ".cache/pip", ".config/go/env", "go/bin"} {
				if err := os.MkdirAll(filepath.Join(home, folder), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			program(t, filepath.Join(home, ".cache/m2mguard-redis/redis-server"), "echo "+ran)
			for name, does := range map[string]string{
				"go":      `[[ $1 == version ]] && echo go version go99.0 linux/amd64 || { echo "go: $HOME ${GOPATH-unset}"; exit 1; }`,
				"apt-get": "exit 1", "dpkg-deb": "exit 1",
			} {
				program(t, filepath.Join(path, name), does)
			}
			for _, name := range []string{"bash", "dirname", "sort", "sed", "uname", "id", "mktemp", "rm", "cp", "touch", "find", "grep"} {
				if err := os.Symlink(lookPath(t, name), filepath.Join(path, name)); err != nil {
					t.Fatal(err)
				}
			}
			root := os.Geteuid() == 0
			for _, folder := range c.anothers {
				if err := os.Chown(filepath.Join(home, folder), 65534, 65534); err != nil && root {
					t.Fatal(err)
				}
			}
			if c.linked != "" {
				if err := os.Symlink(t.TempDir(), filepath.Join(home, c.linked)); err != nil {
					t.Fatal(err)
				}
			}
			script, args := "run", []string{c.group}
			if c.group == "" {
				script, args = "tidy", []string{"-diff", "fleet"}
			}
			got := runCI(t, script, []string{"PATH=" + path, "HOME=" + home, "TMPDIR=" + tmp, "GOPATH=" + home + "/go"}, args...)
			another := strings.Contains(got, "root keeps out of "+home) && strings.Contains(got, " has "+tmp+"/")
			if another != (root && !c.runs) || c.group == "nested" && strings.Contains(got, ran) == another {
				t.Errorf("%s", got)
			}
			asked := "go: " + home + " " + home + "/go\n"
			if another {
				asked = " unset\n"
			}
			if c.group != "nested" && (!strings.Contains(got, asked) || another && !strings.Contains(got, "go: "+tmp+"/")) {
				t.Errorf("no %q:\n%s", asked, got)
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("%v is left in TMPDIR, %v", left, err)
			}
		})
	}
}

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
