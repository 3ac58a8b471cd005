package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one check disabled.
type mutant struct {
	check    string // its name in the ordered list in validator/checks.go, or the part that it belongs to
	disabled string // the rule that does not hold any more
	edits    []edit // several where two places make sure of the same
	tests    []suite
}

// suite is tests that must notice a mutant: those of the package in a folder, or
// one of them by name.
type suite struct{ folder, test string }

// edit is a replacement in a file. The old text stands there exactly once.
type edit struct {
	file, old, new string
}

// mutants lists all of them, in the order of the table.
func mutants() []mutant {
	return slices.Concat(tokenMutants, claimMutants, keyMutants, introspectionMutants, sharedMutants, otherMutants, mistakeMutants, presetMutants, gateMutants, issuerMutants, certificateMutants, boundMutants, proofMutants, revocationMutants, killSwitchMutants, explainMutants, grpcMutants, programMutants, gatewayMutants, doorMutants, unlistedMutants)
}

// row is the mutant's row of the table.
func (m mutant) row(noticedBy string) string {
	return "| " + m.check + " | " + m.disabled + " | " + noticedBy + " |"
}

// apply makes the mutant's edits in a tree and returns what undoes them.
func (m mutant) apply(tree string) (undo func() error, err error) {
	before := make(map[string][]byte)
	undo = func() error {
		for file, text := range before {
			if err := os.WriteFile(filepath.Join(tree, file), text, 0o644); err != nil {
				return err
			}
		}
		return nil
	}
	for _, e := range m.edits {
		path := filepath.Join(tree, e.file)
		text, err := os.ReadFile(path)
		if err != nil {
			return undo, err
		}
		if before[e.file] == nil {
			before[e.file] = text
		}
		changed, err := e.in(string(text))
		if err != nil {
			return undo, err
		}
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
			return undo, err
		}
	}
	return undo, nil
}

// in makes the replacement in the text of the file.
func (e edit) in(text string) (string, error) {
	if n := strings.Count(text, e.old); n != 1 {
		return "", fmt.Errorf("%s holds %q %d times, wanted once", e.file, e.old, n)
	}
	return strings.Replace(text, e.old, e.new, 1), nil
}
