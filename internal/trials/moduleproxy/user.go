package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// user is somebody who has nothing of this repository but a proxy's address.
type user struct {
	home string // with a module cache and a folder of programs
	env  []string
}

// newUser is one whose modules come from the proxy, then from the module cache of this
// machine, whose downloads are a proxy's answers, then from where GOPROXY says.
func newUser(ctx context.Context, scratch, proxy string) (*user, error) {
	out, err := output(ctx, ".", nil, "env", "GOMODCACHE", "GOPROXY")
	if err != nil {
		return nil, err
	}
	cache, others, _ := strings.Cut(strings.TrimSpace(out), "\n")
	sources := []string{"file://" + filepath.ToSlash(proxy), "file://" + path.Join(filepath.ToSlash(cache), "cache/download"), others}
	u := &user{home: filepath.Join(scratch, "user")}
	u.env = []string{
		"GOPROXY=" + strings.Join(sources, ","),
		"GOMODCACHE=" + filepath.Join(u.home, "modules"),
		"GOBIN=" + filepath.Join(u.home, "bin"),
		"GOSUMDB=off", // it knows nothing of what is not published; a go.sum counts all the same
		"GOWORK=off",
		"GOPRIVATE=", "GONOPROXY=",
		"GOFLAGS=-modcacherw -trimpath", // so that the folder can be removed, and what is compiled be used again
	}
	return u, os.MkdirAll(u.home, 0o755)
}

// use installs the programs of m and imports its packages, which it returns.
func (u *user) use(ctx context.Context, m module) (packages []string, err error) {
	programs, packages, err := m.contents(ctx)
	if err != nil {
		return nil, err
	}
	if len(programs) > 0 {
		args := []string{"install"}
		for _, program := range programs {
			args = append(args, program+"@"+version)
		}
		if _, err := output(ctx, u.home, u.env, args...); err != nil {
			return nil, err
		}
		for _, program := range programs {
			if _, err := os.Stat(filepath.Join(u.home, "bin", path.Base(program))); err != nil {
				return nil, err
			}
			fmt.Printf("installed %s@%s\n", program, version)
		}
	}
	if len(packages) > 0 {
		if err := u.imports(ctx, m, packages); err != nil {
			return nil, err
		}
		fmt.Printf("imported %d packages of %s@%s\n", len(packages), m.path, version)
	}
	return packages, nil
}

// contents lists what a user can have of m: programs, and packages that may be
// imported, both outside of internal.
func (m module) contents(ctx context.Context) (programs, packages []string, err error) {
	out, err := output(ctx, m.dir, nil, "list", "-f", "{{.Name}} {{.ImportPath}} {{len .GoFiles}}", "./...")
	if err != nil {
		return nil, nil, err
	}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		switch {
		case len(fields) != 3 || fields[2] == "0" || strings.Contains(fields[1], "/internal"):
		case fields[0] == "main":
			programs = append(programs, fields[1])
		default:
			packages = append(packages, fields[1])
		}
	}
	return programs, packages, nil
}

// imports builds a module of the user's own that imports these packages.
func (u *user) imports(ctx context.Context, m module, packages []string) error {
	dir := filepath.Join(u.home, "of", strings.ReplaceAll(m.path, "/", "-"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	definition := fmt.Sprintf("module example.com/user\n\ngo 1.26.0\n\nrequire %s %s\n", m.path, version)
	for name, text := range map[string]string{"main.go": importing(packages), "go.mod": definition} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"mod", "tidy"}, {"build", "-o", os.DevNull, "."}} {
		if _, err := output(ctx, dir, u.env, args...); err != nil {
			return err
		}
	}
	return nil
}

// output runs the go command in a folder, with more in its environment.
func output(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", errors.Join(fmt.Errorf("go %s in %s: %w", strings.Join(args, " "), dir, err), errors.New(complaint.String()))
	}
	return string(out), nil
}
