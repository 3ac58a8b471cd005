package gateway

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxTarget is how long a request's target may be, in bytes: proxies allow about as much.
const maxTarget = 8 << 10

// Why a path is refused. Each is one constant sentence, for logs.
var (
	errForm     = errors.New("the target is not a path that begins with a slash (RFC 9112 §3.2.1)")
	errLong     = errors.New("the target is too long")
	errLetter   = errors.New("the path holds a letter that must be escaped, or never stands in one (RFC 3986 §3.3)")
	errEscape   = errors.New("the path holds an escape that is none")
	errHidden   = errors.New("the path holds an escaped slash, backslash, percent sign, semicolon, question mark, number sign or control")
	errPlain    = errors.New("the path holds an escape of a letter, a digit, a dot or another character that needs none (RFC 3986 §2.3)")
	errEmpty    = errors.New("the path holds two slashes with nothing between them")
	errDots     = errors.New("the path holds a segment that ends in a dot or a blank, or is nothing else")
	errEncoding = errors.New("the path is not UTF-8 in its shortest form")
	errTwin     = errors.New("the path holds a character that some readers take for another one, or for none")
	errQuery    = errors.New("the query holds a character that never stands in one (RFC 3986 §3.4)")
)

// readPath is what every reader makes of the path in a request's target, or why two may
// make different things of it: one that takes escapes out and one that does not, once or
// twice; one that resolves dots, joins slashes, cuts at a semicolon or a NUL, takes a
// backslash for a slash; one of UTF-8 and one of bytes; one that folds case, width or
// composition. What honest clients send passes: any text in a segment, escaped as RFC
// 3986 §2 asks for, such as a name with a blank, an umlaut, an @ or a comma.
//
// The answers of proxies and frameworks to each of these differ, and change from one
// version to the next: see the corpus in the tests for where that let requests in.
func readPath(target string) (path string, err error) {
	switch {
	case len(target) > maxTarget:
		return "", errLong
	case target == "" || target[0] != '/':
		return "", errForm
	}
	raw, query, _ := strings.Cut(target, "?")
	if strings.ContainsFunc(query, notInQuery) {
		return "", errQuery
	}
	if path, err = unescape(raw); err != nil {
		return "", err
	}
	for rest := path[1:]; rest != ""; {
		segment, after, more := strings.Cut(rest, "/")
		switch {
		case segment == "":
			return "", errEmpty
		case strings.HasSuffix(segment, ".") || strings.HasSuffix(segment, " "):
			return "", errDots
		case strings.Contains(segment, "::$"): // another stream of the same file, where files are Windows'
			return "", errTwin
		}
		if rest = after; !more {
			break
		}
	}
	return path, nil
}

// plain are the characters that stand for themselves in a path: those of RFC 3986 §3.3
// without the semicolon, at which some readers cut a segment.
const (
	unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	plain      = unreserved + "!$&'()*+,=:@/"
)

// notInQuery is for what no query holds. Rules do not look at queries, but a line break
// or a number sign ends one for some readers.
func notInQuery(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }

// unescape takes the escapes out of a path, once.
func unescape(raw string) (string, error) {
	if strings.Trim(raw, plain) == "" {
		return raw, nil // as nearly all are
	}
	path := make([]byte, 0, len(raw))
	ascii := true
	for at := 0; at < len(raw); at++ {
		c := raw[at]
		switch {
		case strings.IndexByte(plain, c) >= 0:
		case c != '%':
			return "", errLetter
		default:
			if at+2 >= len(raw) {
				return "", errEscape
			}
			high, low := hexadecimal(raw[at+1]), hexadecimal(raw[at+2])
			if high > 0xf || low > 0xf {
				return "", errEscape
			}
			c = high<<4 | low
			at += 2
			switch {
			case c < ' ' || c == 0x7f || strings.IndexByte(`/\%;?#`, c) >= 0:
				return "", errHidden
			case strings.IndexByte(unreserved, c) >= 0:
				return "", errPlain
			}
			ascii = ascii && c < utf8.RuneSelf
		}
		path = append(path, c)
	}
	if ascii {
		return string(path), nil
	}
	return string(path), checkLetters(string(path))
}

// checkLetters covers what is beyond ASCII.
func checkLetters(path string) error {
	if !utf8.ValidString(path) {
		return errEncoding
	}
	if !norm.NFKC.IsNormalString(path) { // full-width letters and slashes, ligatures, what is composed of two
		return errTwin
	}
	for _, r := range path {
		if r < utf8.RuneSelf {
			continue
		}
		// Signs without a shape, those that look like a slash, and letters whose other case
		// is one of ASCII's.
		if strings.ContainsRune(slashes, r) || !unicode.IsPrint(r) || unicode.In(r, unicode.Variation_Selector) || unicode.ToUpper(r) < utf8.RuneSelf || unicode.ToLower(r) < utf8.RuneSelf {
			return errTwin
		}
	}
	return nil
}

// slashes are taken for / and \ where text is fitted into a smaller set of characters.
const slashes = "\u2044\u2215\u2216\u29f5\u29f8\u29f9\u2571\u2572\u27cb\u27cd"

// hexadecimal is the value of a digit, or more than 0xf.
func hexadecimal(digit byte) byte {
	switch {
	case '0' <= digit && digit <= '9':
		return digit - '0'
	case 'a' <= digit|0x20 && digit|0x20 <= 'f':
		return digit | 0x20 - 'a' + 10
	}
	return 0xff
}
