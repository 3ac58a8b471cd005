//go:build interop

package proxies_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/m2mguard/m2mguard/interop/internal/install"
)

// packages are Debian's, one for each proxy. Their services are not needed.
const packages = "nginx-light haproxy caddy apache2-bin lua-socket systemd wrk libapache2-mod-auth-openidc"

// program is a proxy's, as it is run.
type program struct {
	path string
	env  []string
}

// find finds a program on this machine, or else among the packages that unpacked
// unpacks.
func find(name string) (program, error) {
	search := append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin") // which are not in everybody's PATH
	for _, folder := range search {
		if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return program{path, os.Environ()}, nil
		}
	}
	root, err := unpacked()
	if err != nil {
		return program{}, fmt.Errorf("there is no %s on this machine, and Debian's packages could not be had: run `apt-get install %s`, and end the services which that starts: %w", name, packages, err)
	}
	libraries, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu*"))
	if err != nil {
		return program{}, err
	}
	shared, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu*/systemd"))
	if err != nil {
		return program{}, err
	}
	libraries = append(libraries, shared...)
	env := append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libraries, ":"))
	for _, folder := range []string{"usr/sbin", "usr/bin"} {
		if path, err := exec.LookPath(filepath.Join(root, folder, name)); err == nil {
			return program{path, env}, nil
		}
	}
	return program{}, fmt.Errorf("Debian's packages %s, unpacked in %s, have no %s", packages, root, name)
}

// unpacked downloads Debian's packages, and those that they need and this machine
// has not, and unpacks them into the user's caches. So nothing of the machine
// changes, no service starts, and whoever runs it need not be root. APT checks
// their signatures.
var unpacked = sync.OnceValues(func() (string, error) {
	return install.Once(fmt.Sprintf("proxies-%08x", crc32.ChecksumIEEE([]byte(packages))), func(ctx context.Context, scratch string) (string, error) {
		root, lists, cache := filepath.Join(scratch, "root"), filepath.Join(scratch, "lists"), filepath.Join(scratch, "cache")
		for _, folder := range []string{root, filepath.Join(lists, "partial"), filepath.Join(cache, "archives/partial")} {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return "", err
			}
		}
		apt := func(args ...string) ([]byte, error) {
			cmd := exec.CommandContext(ctx, "apt-get", append([]string{
				"-o", "Dir::State::Lists=" + lists, "-o", "Dir::Cache=" + cache, "-o", "APT::Sandbox::User=root",
				"-o", "Debug::NoLocking=true", "-o", "Acquire::Retries=3",
			}, args...)...)
			cmd.Dir, cmd.Env = scratch, append(os.Environ(), "LC_ALL=C")
			return install.Succeed(cmd)
		}
		if _, err := apt("update"); err != nil {
			return "", err
		}
		plan, err := apt(append([]string{"--simulate", "--no-install-recommends", "install"}, strings.Fields(packages)...)...)
		if err != nil {
			return "", err
		}
		var names []string
		for line := range strings.Lines(string(plan)) {
			if words := strings.Fields(line); len(words) > 1 && words[0] == "Inst" {
				names = append(names, words[1])
			}
		}
		if _, err := apt(append([]string{"download"}, names...)...); err != nil {
			return "", err
		}
		archives, err := filepath.Glob(filepath.Join(scratch, "*.deb"))
		if err != nil {
			return "", err
		}
		for _, archive := range archives {
			if _, err := install.Succeed(exec.CommandContext(ctx, "dpkg-deb", "--extract", archive, root)); err != nil {
				return "", err
			}
		}
		return root, nil
	})
})
