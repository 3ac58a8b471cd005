package fetch

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// Shown quotes an address, or what was found in place of one, as it may be shown:
// without its query and fragment, which may hold an API key, and without what is
// before an @, which may be a password. Where a query may be part of a password,
// or an @ of a query, nothing is shown, nor of what Hides says may be a key.
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
	if !readsAsAddress(shown, at >= 0) {
		return fmt.Sprintf("[a value of %d bytes]", len(raw))
	}
	if at >= 0 {
		shown = "...@" + shown
	}
	return quote.Value(shown)
}

// Hides reports whether Shown shows nothing of raw, so that something else must say
// which one is meant.
func Hides(raw string) bool { return !strings.HasPrefix(Shown(raw), `"`) }

// Bounds of what is shown without a scheme, in bytes.
const (
	longestName  = 24 // of a name that is no host: longer than most are, and shorter than most keys
	longestWords = 40 // of words, among which there are blanks and no digits
	longestRun   = 15 // of letters and digits together, or of letters in both cases: as keys have longer ones
)

const (
	small    = "abcdefghijklmnopqrstuvwxyz"
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	letters  = small + capitals
	digits   = "0123456789"
)

// readsAsAddress reports whether text may be shown: what has a scheme and a host, or is a
// urn; and of an address's characters, without a long run of mixed ones, what begins as
// a host or, unless a password was before it, is short or words.
func readsAsAddress(text string, behindPassword bool) bool {
	text = strings.Trim(text, " \t\r\n<\"'")
	if rest, found := cutScheme(text); found {
		host, _, ok := cutHost(rest)
		if ok && host != "" && !strings.ContainsAny(host, " \t\r\n") {
			return true
		}
	}
	switch kind, _, _ := strings.Cut(text, ":"); strings.ToLower(kind) {
	case "urn", "did", "tag":
		return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
	}
	isWords := !behindPassword && len(text) <= longestWords && strings.Contains(text, " ") && all(text, letters+" .")
	if !isWords && !isPlain(text) {
		return false
	}
	for run := range strings.FieldsFuncSeq(text, func(r rune) bool { return !strings.ContainsRune(letters+digits, r) }) {
		if len(run) > longestRun && !all(run, small) && !all(run, capitals) {
			return false
		}
	}
	return isWords || beginsAsHost(text) || !behindPassword && len(text) <= longestName
}

// cutScheme cuts off a scheme, or https misspelt.
func cutScheme(text string) (rest string, found bool) {
	scheme, rest, found := strings.Cut(text, "://")
	if found && scheme != "" && all(scheme, letters+digits+"+-.") {
		return rest, true
	}
	behind := strings.TrimLeft(text, "htpsHTPS")
	rest = strings.TrimLeft(behind, ":;/")
	n := len(text) - len(behind)
	return rest, 3 <= n && n <= 7 && len(rest) < len(behind)
}

// cutHost is what is before the path: ok if it has a port or none, as a password is
// neither.
func cutHost(text string) (host, port string, ok bool) {
	host, _, _ = strings.Cut(text, "/")
	host = strings.TrimSuffix(host, ">")
	if strings.HasPrefix(host, "[") {
		address, rest, closed := strings.Cut(host, "]")
		port, ok = strings.CutPrefix(rest, ":")
		return address + "]", port, closed && (rest == "" || ok && isPort(port))
	}
	host, port, _ = strings.Cut(host, ":")
	return host, port, isPort(port)
}

func isPort(text string) bool { return len(text) <= 5 && all(text, digits) }

// beginsAsHost reports whether text begins with an address, a name of several labels, or
// one with a port.
func beginsAsHost(text string) bool {
	host, port, ok := cutHost(text)
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return ok
	}
	labels := strings.Split(host, ".")
	last := labels[len(labels)-1]
	return ok && all(host, letters+digits+"-_.") && !slices.Contains(labels, "") &&
		(port != "" || len(labels) > 1 && len(last) > 1 && all(last, letters))
}

// isPlain reports whether text is of what addresses and names are. What is behind a colon
// and no port may be a password.
func isPlain(text string) bool {
	if address, rest, closed := strings.Cut(text, "]"); closed && text[0] == '[' && all(address[1:], digits+"abcdefABCDEF:.") {
		text = rest
	}
	for n, part := range strings.Split(text, ":") {
		port, _, _ := strings.Cut(part, "/")
		if !all(part, letters+digits+"._/[]<>${};-") || n > 0 && !isPort(strings.TrimRight(port, "]}>")) {
			return false
		}
	}
	return true
}

// all reports whether text has no other characters than these.
func all(text, these string) bool { return strings.Trim(text, these) == "" }
