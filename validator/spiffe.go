package validator

import "strings"

// Bounds of a SPIFFE ID and of the trust domain in it, in bytes (SPIFFE-ID §2.3).
const (
	maxSPIFFEID    = 2048
	maxTrustDomain = 255
)

const spiffeScheme = "spiffe://"

// What is wrong with a text as a SPIFFE ID, as it follows what names the text. The
// reasons are constants: who writes a sub writes none of them.
const (
	notSPIFFE       = `is no SPIFFE ID, which begins with "spiffe://" in small letters (SPIFFE-ID §2)`
	longSPIFFE      = "is longer than the 2,048 bytes of a SPIFFE ID (SPIFFE-ID §2.3)"
	badTrustDomain  = "names no trust domain of 1 to 255 small letters, digits, dots, dashes and underscores, without a port and what else may be in a URL (SPIFFE-ID §2.1)"
	noWorkload      = "names a trust domain and no workload in it: wanted a path"
	badWorkloadPath = "has a path with an empty segment, a dot segment or another character than letters, digits, dots, dashes and underscores (SPIFFE-ID §2.2)"
)

// trustDomainOf reads a workload's SPIFFE ID (SPIFFE-ID §2) and returns its trust
// domain, or what is wrong with it. It has one spelling: §2.4 lets a reader fold the
// case of scheme and trust domain, and §2.1 lets nobody write them so.
func trustDomainOf(id string) (domain, problem string) {
	rest, ok := strings.CutPrefix(id, spiffeScheme)
	if !ok {
		return "", notSPIFFE
	}
	if len(id) > maxSPIFFEID {
		return "", longSPIFFE
	}
	domain, path, ok := strings.Cut(rest, "/")
	switch {
	case !isTrustDomain(domain):
		return "", badTrustDomain
	case !ok:
		return "", noWorkload
	}
	for more := true; more; {
		var segment string
		segment, path, more = strings.Cut(path, "/")
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, notInPath) {
			return "", badWorkloadPath
		}
	}
	return domain, ""
}

// isTrustDomain covers SPIFFE-ID §2.1: no DNS name is asked for, and what makes a
// port, user information, a query or an escape is not among the characters.
func isTrustDomain(name string) bool {
	return name != "" && len(name) <= maxTrustDomain && !strings.ContainsFunc(name, func(r rune) bool {
		return 'A' <= r && r <= 'Z' || notInPath(r)
	})
}

// notInPath reports whether a character may stand in no segment of a path.
func notInPath(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-', r == '_':
		return false
	}
	return true
}
