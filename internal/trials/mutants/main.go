// Command mutants disables the security checks of this module one at a time, in
// temporary copies of it, and runs the tests that must notice. It prints a
// Markdown table of what was disabled and which test failed, and fails itself
// if a check can be disabled without any test noticing.
//
//	go run ./internal/trials/mutants -only 'salt'         # those whose row holds a word
//	go run ./internal/trials/mutants -only 'salt' -write  # put their rows into docs/mutants.md
//	go run ./internal/trials/mutants -write               # all of them, which takes an hour or more
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
	write := flag.Bool("write", false, "put the rows into docs/mutants.md, where the others stay, instead of printing them")
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
	if len(chosen) == 0 {
		return fmt.Errorf("no row holds %q", only)
	}
	noticed, err := testAll(ctx, root, chosen)
	if err != nil {
		return err
	}
	if !write {
		fmt.Print(render(chosen, noticed))
		return nil
	}
	return replaceRows(filepath.Join(root, "docs", "mutants.md"), chosen, noticed)
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
