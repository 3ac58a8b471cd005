package fetch

import (
	"fmt"
	"strings"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// Shown quotes an address, or what was found in place of one, as it may be shown:
// without its query and fragment, which may hold an API key, and without what is
// before an @, which may be a password. Where a query may be part of a password,
// or an @ of a query, nothing is shown, nor of what reads as no address: it may be a key
// that was pasted there.
func Shown(raw string) string {
	shown := raw
	at := strings.LastIndexByte(raw, '@')
	end := strings.IndexAny(raw, "?#")
	switch {
	case at >= 0 && end >= 0:
		return "a URL that is not shown, because it may hold a password,"
	case at >= 0:
		shown = raw[at+1:]
	case end >= 0:
		shown = raw[:end]
	}
	if !readsAsAddress(shown) {
		return fmt.Sprintf("[a value of %d bytes]", len(raw))
	}
	if at >= 0 {
		shown = "...@" + shown
	}
	return quote.Value(shown)
}

// Bounds of words that are shown where no host is, in bytes: longer than names of issuers
// are that are no URL, and shorter than most keys.
const (
	longestWords = 40
	longestWord  = 20
)

const (
	small   = "abcdefghijklmnopqrstuvwxyz"
	letters = small + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// readsAsAddress reports whether text has a scheme, or begins as a host does, with https
// or what somebody took for it in front, or else is words: names of issuers are some, and
// relative paths. Among the letters of keys there are digits.
func readsAsAddress(text string) bool {
	if scheme, _, found := strings.Cut(text, "://"); found && scheme != "" && all(scheme, letters+"0123456789+-.") {
		return true
	}
	if readsAsHost(text) {
		return true
	}
	if rest := strings.TrimLeft(text, letters); strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "/") {
		if readsAsHost(strings.TrimLeft(rest, ":/")) {
			return true
		}
	}
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" -_.:/", r) }) {
		if len(word) > longestWord || !all(word, letters) {
			return false
		}
	}
	return len(text) <= longestWords
}

// all reports whether text has no other characters than these.
func all(text, these string) bool { return strings.Trim(text, these) == "" }

// readsAsHost reports whether text begins with a name of several labels, as hosts have in
// the small letters of most, or with one of letters alone and a port.
func readsAsHost(text string) bool {
	host, _, _ := strings.Cut(text, "/")
	name, port, _ := strings.Cut(host, ":")
	if len(port) > 5 || !all(port, "0123456789") {
		return false
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || !all(label, small+"0123456789-") {
			return false
		}
	}
	return len(labels) > 1 || port != "" && all(name, small+"-")
}
