package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/m2mguard/m2mguard/introspection"
)

// wanted says which key was meant, or which there are.
func wanted(key string, known []member) string {
	if meant := meant(key, known); meant != "" {
		return "wanted " + meant
	}
	var names []string
	for _, m := range known {
		names = append(names, m.key)
	}
	slices.Sort(names)
	return "wanted some of " + strings.Join(names, ", ")
}

// meant is the key that another one is near to, or nothing.
func meant(key string, known []member) string {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s)) }
	for _, m := range known {
		if near(plain(m.key), plain(key)) {
			return m.key
		}
	}
	return ""
}

// near reports whether one word is the other but for one letter that is missing, too
// many or another one, or for two beside each other that changed places.
func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch {
	case a == b:
		return true
	case len(b) <= 3 || len(b)-len(a) > 1: // of short words, many are near each other
		return false
	case len(a) < len(b):
		return a[i:] == b[i+1:]
	}
	return a[i+1:] == b[i+1:] || i+2 <= len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// longestShown is how long a key may be that a fault shows, in bytes: longer than ours
// are, and shorter than tokens.
const longestShown = 40

// shown is a key of the user's own, such as a route, as a fault shows it.
func shown(key string) string {
	if len(key) > longestShown {
		return "[a long key]"
	}
	if quoted := strconv.Quote(key); quoted != `"`+key+`"` || key == "" || strings.ContainsAny(key, " .[]") {
		return quoted
	}
	return key
}

// shownAmong is a key of a mapping with these members as a fault shows it. One that is near
// to none of them may be a secret: {secret: {hunter2}} has it for a key. Where secrets
// are expected it is not shown, and elsewhere if it is no word.
func shownAmong(known []member, key string) string {
	expected := slices.ContainsFunc(known, member.isOfSecrets) ||
		len(known) < manyKeys && slices.ContainsFunc(known, func(m member) bool { return m.typ == reflect.TypeFor[func() [][]byte]() })
	if meant(key, known) == "" && (expected || !isWord(key)) {
		return fmt.Sprintf("[another key, of %d bytes]", len(key))
	}
	return shown(key)
}

// manyKeys is of how many keys a mapping is that nobody takes for the place of one of its
// secrets: serve has more, and dpop.nonces fewer.
const manyKeys = 10

// isOfSecrets reports whether a member says what a secret is, or where it or a key is.
func (m member) isOfSecrets() bool {
	switch m.typ {
	case reflect.TypeFor[Secret](), reflect.TypeFor[[]Key](), reflect.TypeFor[introspection.ClientAuth]():
		return true
	}
	return m.key == "env" || m.key == "file" || m.key == "keyFile"
}

// isOfFile reports whether a key is one for the path of a file.
func isOfFile(key string) bool {
	return key == "file" || key == "openAPI" || strings.HasSuffix(key, "File")
}

// longestWord is how long a key may be that is shown though there is none like it, in
// bytes: as ours are.
const longestWord = 24

// isWord reports whether a key could be one of ours, and no key or secret that was made: of
// letters, and perhaps one number, as http2 is.
func isWord(key string) bool {
	const letters, longestNumber = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_", 3
	number := strings.Trim(key, letters)
	return len(key) <= longestWord && len(number) <= longestNumber && strings.Trim(number, "0123456789") == ""
}
