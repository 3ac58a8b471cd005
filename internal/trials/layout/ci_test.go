package layout_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCIMissing: .ci/run on machines that lack what its groups need. It stops before the
// first step and names all of that, or installs it, as root on Debian.
func TestCIMissing(t *testing.T) {
	for _, file := range []string{"run", "needs"} { // so that go test runs it again after a change of theirs
		if _, err := os.ReadFile("../../../.ci/" + file); err != nil {
			t.Fatal(err)
		}
	}
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(mod), "\ngo ")
	wanted, _, _ := strings.Cut(line, "\n")
	const lists = "-o Dir::State::Lists="
	for _, c := range []struct {
		name, root string
		apt        bool
		has        map[string]string // programs, and what they do, beside those of every machine
		bare       bool              // there are no certificates
		groups     []string
		says, not  []string // in this order
	}{
		{
			name: "no apt-get", root: "0", groups: []string{"race", "nested", "fleet", "interop"},
			says: []string{
				"this machine lacks", "a C compiler (for race)", "Node ", "(for interop)", "a JDK", "(for interop)", "Maven (for interop)", "redis-server", "(for nested fleet)",
				"apt-get install --no-install-recommends gcc libc6-dev nodejs npm default-jdk-headless maven\n", "stopped before the first step",
			},
			not: []string{"race detector", "Chromium"},
		},
		{
			name: "not root", root: "1000", apt: true, groups: []string{"race"},
			says: []string{"a C compiler (for race)", "apt-get install --no-install-recommends gcc libc6-dev\n", "stopped before the first step"},
			not:  []string{"race detector", lists},
		},
		{
			name: "root", root: "0", apt: true, groups: []string{"race"},
			says: []string{
				"== installed: gcc libc6-dev (", lists, " update\n", lists, " --no-install-recommends install gcc libc6-dev\n",
				"== race detector (", "go test -race", "== 1 steps", "installed: gcc", "== failed after", "race detector\n",
			},
			not: []string{"this machine lacks"},
		},
		{
			name: "an old Go, and certificates", root: "0", apt: true, has: map[string]string{"go": "echo go version go1.19.8 linux/amd64"}, bare: true, groups: []string{"quickstart"},
			says: []string{"this machine lacks", "Go " + wanted + " or later, from https://go.dev/dl (for quickstart)", "certificates of CAs", "apt-get install --no-install-recommends ca-certificates\n", "stopped before the first step"},
			not:  []string{"== quickstart", lists},
		},
		{
			name: "a Go that may not download a newer one", root: "0", has: map[string]string{"go": "exit 1"}, groups: []string{"quickstart"},
			says: []string{"this machine lacks", "Go " + wanted + " or later", "stopped before the first step"},
			not:  []string{"== quickstart", "apt-get", "certificates"},
		},
		{
			name: "certificates", root: "0", apt: true, bare: true, groups: []string{"quickstart"},
			says: []string{"== installed: ca-certificates (", " --no-install-recommends install ca-certificates\n", "== quickstart ("},
			not:  []string{"this machine lacks"},
		},
		{
			name: "an old Node, and a newer one is pinned", root: "0", apt: true, has: map[string]string{"npm": "exit 1", "node": "echo v18.20.4"}, groups: []string{"browser"},
			says: []string{"== a newer Node, from npm ("},
			not:  []string{"this machine lacks", "installed"},
		},
		{
			name: "no Node where none is pinned", root: "0", apt: true, has: map[string]string{"uname": "echo Linux riscv64"}, groups: []string{"browser"},
			says: []string{"== installed: nodejs npm (", "this machine lacks\n", "Node ", " or later, and npm, from https://nodejs.org (for browser)\n\n", "stopped before the next step"},
			not:  []string{"a newer Node", "apt-get install"},
		},
		{
			name: "nothing is missing", root: "1000", groups: []string{"quickstart"},
			says: []string{"== quickstart (", "go run ./examples/quickstart\n", "== failed after", "quickstart\n"},
			not:  []string{"this machine lacks", "installed"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := t.TempDir()
			for _, name := range []string{"bash", "dirname", "sort", "sed", "mktemp", "mkdir", "rm"} {
				if err := os.Symlink(lookPath(t, name), filepath.Join(path, name)); err != nil {
					t.Fatal(err)
				}
			}
			fakes := map[string]string{
				"id": "echo " + c.root, "uname": `case $1 in -s) echo Linux;; *) echo Linux x86_64;; esac`,
				"go": `case $1 in version) echo "go version go` + wanted + ` linux/amd64";; *) echo "go $*"; exit 1;; esac`,
			}
			certificates := filepath.Join(path, "certificates")
			if !c.bare {
				fakes["certificates"] = ""
			}
			if c.apt { // what is installed is a C compiler that takes anything, a Node that is old, or certificates
				fakes["apt-get"] = fmt.Sprintf(`echo "apt-get $*"
put() { printf '#!%[1]s/bash\n%%s\n' "$2" >%[1]s/$1; %[2]s +x %[1]s/$1; }
case "$*" in *gcc*) put gcc;; *nodejs*) put node 'echo v18.20.4'; put npm;; *ca-certificates*) put certificates;; esac`, path, lookPath(t, "chmod"))
				fakes["dpkg-deb"] = "exit 1"
			}
			maps.Copy(fakes, c.has)
			for name, does := range fakes {
				if err := os.WriteFile(filepath.Join(path, name), []byte("#!"+path+"/bash\n"+does+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(filepath.Join(path, "bash"), append([]string{"../../../.ci/run"}, c.groups...)...)
			cmd.Env = []string{"PATH=" + path, "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "SSL_CERT_FILE=" + certificates}
			var output bytes.Buffer
			cmd.Stdout, cmd.Stderr = &output, &output
			if err := cmd.Run(); err == nil {
				t.Error("it passed")
			}
			rest := output.String()
			for _, text := range c.says {
				_, after, found := strings.Cut(rest, text)
				if !found {
					t.Fatalf("it does not say %q in its turn:\n%s", text, &output)
				}
				rest = after
			}
			if i := slices.IndexFunc(c.not, func(text string) bool { return strings.Contains(output.String(), text) }); i >= 0 {
				t.Errorf("it says %q:\n%s", c.not[i], &output)
			}
		})
	}
}

func lookPath(t *testing.T, name string) string {
	t.Helper()
	found, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
