package dpop

import (
	"slices"
	"strings"
)

// What an error tells of a proof is looked at first: a client that mixes its fields up
// has its token, or something else that is a secret, where a method or a URL belongs.

// longSegment is the length from which on a piece of a path is not told. Shorter ones
// are in many a name.
const longSegment = 16

// longLabel is the same for a label of a host.
const longLabel = 32

// hiddenPiece stands for one.
const hiddenPiece = "…"

// toldURL is a URL without what nobody should read in a log: query, fragment, and long
// pieces of its path.
func toldURL(url string) string {
	url = withoutQuery(url)
	_, rest, found := strings.Cut(url, "://")
	if !found {
		return toldName(url)
	}
	start := strings.IndexByte(rest, '/')
	if start < 0 {
		start = len(rest)
	}
	for label := range strings.SplitSeq(rest[:start], ".") {
		if len(label) >= longLabel {
			return hiddenPiece
		}
	}
	head, path := url[:len(url)-len(rest)+start], rest[start:]
	pieces := strings.Split(path, "/")
	for n, segment := range pieces {
		if len(segment) >= longSegment {
			pieces[n] = hiddenPiece
		}
	}
	return head + strings.Join(pieces, "/")
}

// toldMethod is a method, if it is one that servers know.
func toldMethod(method string) string {
	known := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "QUERY"}
	if slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, method) }) {
		return method
	}
	return hiddenPiece
}

// toldName is a short name, such as of an algorithm or a media type.
func toldName(name string) string {
	if len(strings.TrimPrefix(name, "application/")) < longSegment {
		return name
	}
	return hiddenPiece
}

// told is what may be read of the values of a check.
func (c Check) told(values []string) []string {
	tell := toldName
	switch c {
	case CheckURL:
		tell = toldURL
	case CheckMethod:
		tell = toldMethod
	}
	var all []string
	for _, value := range values {
		all = append(all, tell(value))
	}
	return all
}
