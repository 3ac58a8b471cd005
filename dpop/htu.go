package dpop

import (
	"bytes"
	"strings"
)

// address is a URL taken apart (RFC 3986 §3), without query and fragment. Its parts
// are as they were written.
type address struct {
	secure     bool // https
	host, port string
	path       string
}

// Why a htu is refused before it is compared. They hold nothing of it.
const (
	notAbsolute = "htu is no absolute http or https URL (RFC 9449 §4.2)"
	withUser    = "htu holds a user"
	noHost      = "htu has no host, or a host or port that is malformed (RFC 3986 §3.2)"
	badEscape   = "htu holds a space, a control character, what is no ASCII, or a % without two hexadecimal digits (RFC 3986 §2.1)"
)

// sameURL compares a htu with the URL of the request, without query and fragment (RFC
// 9449 §4.3, check 9), after syntax-based and scheme-based normalisation (RFC 3986
// §6.2.2, §6.2.3): case of scheme, host and escapes, escapes that need not be, dot
// segments, the scheme's own port, and an empty path. problem is set for a htu that is
// none.
func sameURL(htu, request string) (same bool, problem string) {
	htu = withoutQuery(htu)
	claimed, problem := takeApart(htu)
	if problem != "" {
		return false, problem
	}
	if request = withoutQuery(request); htu == request {
		return true, ""
	}
	if !isURI(htu) {
		return false, badEscape
	}
	ours, problem := takeApart(request)
	if problem != "" || claimed.secure != ours.secure || claimed.port != ours.port {
		return false, ""
	}
	return sameHost(claimed.host, ours.host) && samePath(claimed.path, ours.path), ""
}

func withoutQuery(url string) string {
	if end := strings.IndexAny(url, "?#"); end >= 0 {
		return url[:end]
	}
	return url
}

// takeApart reads scheme, host, port and path. A port that is the scheme's own is
// none.
func takeApart(url string) (a address, problem string) {
	scheme, rest, found := strings.Cut(url, "://")
	a.secure = equalFold(scheme, "https")
	if !found || !a.secure && !equalFold(scheme, "http") {
		return a, notAbsolute
	}
	authority := rest
	if end := strings.IndexByte(rest, '/'); end >= 0 {
		authority, a.path = rest[:end], rest[end:]
	}
	if strings.IndexByte(authority, '@') >= 0 {
		return a, withUser
	}
	a.host = authority
	from := strings.IndexByte(authority, ']') + 1 // of an IPv6 address, or 0
	if colon := strings.IndexByte(authority[from:], ':'); colon >= 0 {
		a.host, a.port = authority[:from+colon], authority[from+colon+1:]
	}
	if !isHost(a.host) || strings.Trim(a.port, "0123456789") != "" {
		return a, noHost
	}
	if a.secure && a.port == "443" || !a.secure && a.port == "80" {
		a.port = ""
	}
	return a, ""
}

// isHost reports whether host is a name, or an address in brackets.
func isHost(host string) bool {
	if host == "" || strings.IndexByte(host, '\\') >= 0 {
		return false
	}
	if host[0] != '[' {
		return strings.IndexByte(host, '[') < 0 && strings.IndexByte(host, ']') < 0
	}
	return len(host) > len("[]") && strings.IndexByte(host, ']') == len(host)-1 && strings.LastIndexByte(host, '[') == 0
}

// isURI reports whether url holds nothing that a URI cannot hold as it is (RFC 3986
// §2), as far as that may be read in two ways.
func isURI(url string) bool {
	for at := 0; at < len(url); at++ {
		switch c := url[at]; {
		case c <= ' ' || c >= 0x7f:
			return false
		case c == '%' && (at+2 >= len(url) || digit(url[at+1]) < 0 || digit(url[at+2]) < 0):
			return false
		}
	}
	return true
}

func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

func sameHost(a, b string) bool {
	if strings.IndexByte(a, '%') < 0 && strings.IndexByte(b, '%') < 0 {
		return equalFold(a, b)
	}
	return equalFold(unescaped(a), unescaped(b))
}

// equalFold knows the case of ASCII alone: K is no Kelvin sign.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for n := range len(a) {
		if lower(a[n]) != lower(b[n]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

func samePath(a, b string) bool {
	return a == b || !(isNormal(a) && isNormal(b)) && normalPath(a) == normalPath(b)
}

// isNormal reports whether nothing needs to be done to a path.
func isNormal(path string) bool {
	return path != "" && strings.IndexByte(path, '%') < 0 && !strings.Contains(path, "/.")
}

// normalPath is an absolute path without needless escapes and dot segments; an empty
// one is the root.
func normalPath(path string) string {
	if path == "" {
		return "/"
	}
	path = unescaped(path)
	if !strings.Contains(path, "/.") {
		return path
	}
	out := make([]byte, 0, len(path))
	for rest := path; rest != ""; { // RFC 3986 §5.2.4
		end := strings.IndexByte(rest[1:], '/') + 1
		if end == 0 {
			end = len(rest)
		}
		segment := rest[:end]
		rest = rest[end:]
		if segment != "/." && segment != "/.." {
			out = append(out, segment...)
			continue
		}
		if segment == "/.." {
			out = out[:max(0, bytes.LastIndexByte(out, '/'))]
		}
		if rest == "" {
			out = append(out, '/')
		}
	}
	return string(out)
}

// unescaped has each escape in upper case, and none of what is unreserved (RFC 3986
// §2.3). What is no escape stays.
func unescaped(text string) string {
	if strings.IndexByte(text, '%') < 0 {
		return text
	}
	const upper = "0123456789ABCDEF"
	out := make([]byte, 0, len(text))
	for at := 0; at < len(text); at++ {
		if text[at] != '%' || at+2 >= len(text) || digit(text[at+1]) < 0 || digit(text[at+2]) < 0 {
			out = append(out, text[at])
			continue
		}
		c := byte(digit(text[at+1])<<4 | digit(text[at+2]))
		if isUnreserved(c) {
			out = append(out, c)
		} else {
			out = append(out, '%', upper[c>>4], upper[c&15])
		}
		at += 2
	}
	return string(out)
}

func isUnreserved(c byte) bool {
	return 'a' <= lower(c) && lower(c) <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
