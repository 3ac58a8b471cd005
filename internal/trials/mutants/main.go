// Command mutants disables the security checks of this module one at a time, in
// temporary copies of it, and runs the tests that must notice. It prints a
// Markdown table of what was disabled and which test failed, and fails itself
// if a check can be disabled without any test noticing.
//
//	go run ./internal/trials/mutants                  # the table, after some minutes
//	go run ./internal/trials/mutants -write           # put it into docs/mutants.md
//	go run ./internal/trials/mutants -only 'salt'     # those whose row holds a word
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

// workers is how many copies are tested at a time.
const workers = 2

func main() {
	write := flag.Bool("write", false, "put the table into docs/mutants.md instead of printing it")
	only := flag.String("only", "", "run the mutants whose row holds this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := tabulate(ctx, *only, *write); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func tabulate(ctx context.Context, only string, write bool) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	var chosen []mutant
	for _, m := range mutants() {
		if strings.Contains(m.row(""), only) {
			chosen = append(chosen, m)
		}
	}
	switch {
	case len(chosen) == 0:
		return fmt.Errorf("no row holds %q", only)
	case write && only != "":
		return fmt.Errorf("-write needs every row")
	}
	noticed, err := testAll(ctx, root, chosen)
	if err != nil {
		return err
	}
	table := render(chosen, noticed)
	if !write {
		fmt.Print(table)
		return nil
	}
	return replaceTable(filepath.Join(root, "docs", "mutants.md"), table)
}

// moduleRoot is the folder of the go.mod above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("there is no go.mod here or above")
		}
		dir = parent
	}
}
