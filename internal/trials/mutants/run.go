package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// testAll runs the tests on each mutant and returns the names of those that
// noticed, in order. The tests must pass without any mutant first, or a failure
// would say nothing.
func testAll(ctx context.Context, root string, all []mutant) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	trees := make([]string, workers)
	for i := range trees {
		tree, err := os.MkdirTemp("", "mutants")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(tree)
		if err := copyModule(root, tree); err != nil {
			return nil, err
		}
		trees[i] = tree
	}
	if err := baseline(ctx, trees[0], all); err != nil {
		return nil, err
	}

	noticed := make([]string, len(all))
	faults := make([]error, len(all))
	next := make(chan int)
	var working sync.WaitGroup
	for _, tree := range trees {
		working.Go(func() {
			for i := range next {
				noticed[i], faults[i] = all[i].test(ctx, tree)
				fmt.Fprintln(os.Stderr, all[i].row(noticed[i]))
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	working.Wait()
	return noticed, errors.Join(faults...)
}

// baseline runs all the tests that mutants name.
func baseline(ctx context.Context, tree string, all []mutant) error {
	seen := make(map[suite]bool)
	for _, m := range all {
		for _, s := range m.tests {
			if seen[s] {
				continue
			}
			seen[s] = true
			if failed, err := s.noticing(ctx, tree); err != nil {
				return err
			} else if failed != "" {
				return fmt.Errorf("%s.%s fails without any mutant", s.folder, failed)
			}
		}
	}
	return nil
}

// test names a test that notices the mutant.
func (m mutant) test(ctx context.Context, tree string) (noticedBy string, err error) {
	undo, err := m.apply(tree)
	defer func() { err = errors.Join(err, undo()) }()
	if err != nil {
		return "", err
	}
	for _, s := range m.tests {
		failed, err := s.noticing(ctx, tree)
		if err != nil {
			return "", fmt.Errorf("%s: %w", m.row(""), err)
		}
		if failed != "" {
			return "`" + s.folder + "." + failed + "`", nil
		}
	}
	return "", fmt.Errorf("no test notices: %s", m.row(""))
}

// noticing names the first of the tests that fails, and fails again by itself: a
// busy machine must not be taken for a mutant. It names none if all pass.
func (s suite) noticing(ctx context.Context, tree string) (test string, err error) {
	binary := filepath.Join(tree, "tests")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-o", binary, ".")
	build.Dir = filepath.Join(tree, s.folder)
	build.Env = append(os.Environ(), "GOWORK="+workspace(tree, s.folder))
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, output)
	}
	folder := filepath.Join(tree, s.folder)
	var skip []string
	for {
		failed, err := run(ctx, binary, folder, s.test, strings.Join(skip, "|"))
		if failed == "" || err != nil {
			return "", err
		}
		if again, err := run(ctx, binary, folder, "^"+failed+"$", ""); again != "" || err != nil {
			return failed, err
		}
		skip = append(skip, "^"+failed+"$")
	}
}

// run runs the tests of a binary that match choose and not skip, up to the first
// that fails, and names that one.
func run(ctx context.Context, binary, folder, choose, skip string) (failed string, err error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json", binary,
		"-test.v=test2json", "-test.failfast", "-test.timeout=60s", "-test.run="+choose, "-test.skip="+skip)
	cmd.Dir = folder
	output, err := cmd.Output()
	if err == nil {
		return "", nil
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	var text strings.Builder
	for line := range bytes.Lines(output) {
		var event struct{ Action, Test, Output string }
		if json.Unmarshal(line, &event) != nil {
			continue
		}
		text.WriteString(event.Output)
		if event.Action == "fail" && event.Test != "" {
			test, _, _ := strings.Cut(event.Test, "/")
			return test, nil
		}
	}
	if hung := hanging.FindStringSubmatch(text.String()); hung != nil {
		return hung[1], nil
	}
	return "", fmt.Errorf("the tests fail, but none of them by name: %w", err)
}

// hanging finds the test that was running when the time was up.
var hanging = regexp.MustCompile(`running tests:\s+(\w+)`)

// workspace is the go.work of the nested module that a folder is of; off in the root.
func workspace(tree, folder string) string {
	for ; folder != "."; folder = filepath.Dir(folder) {
		if work := filepath.Join(tree, folder, "go.work"); exists(work) {
			return work
		}
	}
	return "off"
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// copyModule copies what belongs to the module that the mutants are of, and to the nested
// ones that mutants are of, too.
func copyModule(root, tree string) error {
	return filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		target := filepath.Join(tree, relative)
		switch {
		case entry.IsDir():
			if relative != "." && isOther(relative, path) {
				return filepath.SkipDir
			}
			return os.MkdirAll(target, 0o755)
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
}

// isOther reports whether a folder is version control, packages of another
// language, or a module of its own that is no adapter, and not the program or what it
// is made of.
func isOther(relative, path string) bool {
	name := filepath.Base(path)
	if name == ".git" || name == "node_modules" {
		return true
	}
	return exists(filepath.Join(path, "go.mod")) && filepath.Dir(relative) != "adapters" && !slices.Contains(programModules, filepath.ToSlash(relative))
}

// programModules are the program and the modules that it is made of.
var programModules = []string{"cmd/m2mguard", "fleet", "telemetry"}
