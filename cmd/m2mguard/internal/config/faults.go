package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// located is a fault with the line that it is in.
type located struct {
	line int
	text string
}

func (l located) Error() string { return fmt.Sprintf("line %d: %s", l.line, l.text) }

// fault notes what is wrong with a node. path is where it stands, such as
// "issuers[0].audience"; it is empty for the file as a whole.
func (d *decoder) fault(n *yaml.Node, path, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if path != "" {
		text = path + " " + text
	}
	d.faults = append(d.faults, located{n.Line, text})
	d.faulty = append(d.faulty, path)
	d.broken++
}

// faultIn notes what is wrong with a value that was made of a node: at the key in it that
// the text begins with, if it begins with one that the file has.
func (d *decoder) faultIn(n *yaml.Node, path, text string) {
	key, line := d.lines.key(path + "." + text)
	if len(key) <= len(path) || path == "" {
		d.fault(n, path, "%s", text)
		return
	}
	d.fault(&yaml.Node{Line: line}, key, "%s", strings.TrimLeft(strings.TrimPrefix(path+"."+text, key), " "))
}

// inOrder has faults stand as in the file, and those without a line behind them.
func inOrder(faults []error) {
	line := func(err error) int {
		if at, ok := err.(located); ok {
			return at.line
		}
		return maxFile
	}
	slices.SortStableFunc(faults, func(a, b error) int { return cmp.Compare(line(a), line(b)) })
}

// flatten lists the errors that were joined in err.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, err := range joined.Unwrap() {
			all = append(all, flatten(err)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// within reports whether a text begins with a key, and not with a longer name.
func within(text, key string) bool {
	rest, found := strings.CutPrefix(text, key)
	return found && (rest == "" || strings.ContainsRune(" .[:", rune(rest[0])))
}

// places are the lines of a file's keys.
type places map[string]int

// key is the longest key of the file that a text begins with, or nothing, and its line.
func (p places) key(text string) (key string, line int) {
	for k, l := range p {
		if len(k) > len(key) && within(text, k) {
			key, line = k, l
		}
	}
	return key, line
}

// Locate adds to each fault that begins with a key the line that the key is in, or the one
// around it.
func (f *File) Locate(err error) error {
	var all []error
	for _, err := range flatten(err) {
		if key, line := f.lines.key(err.Error()); key != "" {
			err = located{line, err.Error()}
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

// How New says which issuer is at fault where the URL of it does not: it is not shown, or
// a provider has refused what it would be made of.
var (
	byPlace    = regexp.MustCompile(`^validator: I(ssuers\[[0-9]+\])(,.*)$`)
	ofProvider = regexp.MustCompile(`^validator: (providers\..*) \(I(ssuers\[[0-9]+\])\)$`)
)

// placed is a fault of New's, at its issuer's line if it says which issuer that is.
func (f *File) placed(err error) error {
	var key, text string
	if found := byPlace.FindStringSubmatch(err.Error()); found != nil {
		key, text = "i"+found[1], found[2]
	} else if found := ofProvider.FindStringSubmatch(err.Error()); found != nil {
		key, text = "i"+found[2], ": "+found[1]
	} else {
		return err
	}
	at := ".url"
	if text[0] == ':' {
		at = ".provider"
	}
	_, line := f.lines.key(key + at)
	return located{line, key + text}
}

// AtFault reports whether something is wrong with a key, in it or around it.
func (f *File) AtFault(key string) bool {
	return slices.ContainsFunc(f.faulty, func(at string) bool { return at == "" || within(at, key) || within(key, at) })
}

// FaultsOnlyIn reports whether nothing is wrong outside of these sections.
func (f *File) FaultsOnlyIn(sections ...string) bool {
	return !slices.ContainsFunc(f.faulty, func(at string) bool {
		return !slices.ContainsFunc(sections, func(section string) bool { return within(at, section) })
	})
}

// beside leaves out what is said of a key that is at fault already: it may come of that.
func (f *File) beside(err error) (others []error) {
	for _, err := range flatten(err) {
		key, _ := f.lines.key(err.Error())
		section := !strings.ContainsAny(key, ".[") // in which something is missing
		if !slices.ContainsFunc(f.faulty, func(at string) bool {
			return at != "" && within(err.Error(), at) || !section && within(at, key)
		}) {
			others = append(others, err)
		}
	}
	return others
}
