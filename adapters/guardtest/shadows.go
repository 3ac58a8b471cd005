package guardtest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// nowhere is a path, after a slash, for which no API has a route.
const nowhere = "guardtest/asks/what/no/route/takes"

// askNowhere asks for paths without a route. Where an API has a handler for those,
// the router need not list it.
func (r *run) askNowhere() {
	r.Helper()
	patterns := append([]string{"/*"}, r.listed.fallbacks...)
	slices.Sort(patterns)
	for _, pattern := range slices.Compact(patterns) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			q := question{run: r, pattern: pattern, method: method}
			q.host, q.path = sample(pattern)
			if strings.HasSuffix(pattern, "*") {
				q.path = strings.TrimSuffix(q.path, values[0]) + nowhere
			}
			if q.meant() {
				continue
			}
			if got := q.send(""); got.status != http.StatusUnauthorized && !got.missing() && !got.redirects() {
				r.Errorf("guardtest: %s %s%s is answered with %d without a token, and is in no list: what takes paths without a route must ask for a token, or is listed as Public(%q)",
					method, strings.TrimSuffix(q.host, noHost), q.path, got.status, pattern)
				break
			}
		}
	}
}

// rest is the end of a pattern for all paths below it.
var rest = regexp.MustCompile(`\*[^/]*$`)

// meant reports whether a list has what takes a path without a route.
func (q question) meant() bool {
	if matched := q.matched(); matched != "" && q.known(matched) {
		return true
	}
	if q.known(q.method + " " + q.pattern) {
		return true
	}
	for _, pattern := range q.listed.patterns { // Gin's have a name after the asterisk
		method, path := cutMethod(pattern)
		if (method == "" || method == q.method) && rest.ReplaceAllString(path, "*") == q.pattern && q.known(pattern) {
			return true
		}
	}
	return false
}

// nearer is a route of Echo's, Gin's or chi's that takes the request before the one
// that is asked about, or empty.
func (q question) nearer() string {
	_, own := cutMethod(q.pattern)
	for _, pattern := range q.listed.patterns {
		method, other := cutMethod(pattern)
		host, path := sample(other)
		if other == own || method != "" && method != q.method || host != q.host || path != q.path {
			continue
		}
		if slices.Compare(looseness(other), looseness(own)) <= 0 {
			return pattern
		}
	}
	return ""
}

// looseness is how much each segment of a path takes: itself, what fits a regular
// expression, anything, or all that follows.
func looseness(path string) (segments []int) {
	for segment := range strings.SplitSeq(path, "/") {
		switch {
		case strings.Contains(segment, "*") && !strings.Contains(segment, "{"):
			segments = append(segments, 3)
		case !strings.ContainsAny(segment, ":{"):
			segments = append(segments, 0)
		case strings.Contains(segment, "{") && strings.Contains(segment, ":"):
			segments = append(segments, 1)
		default:
			segments = append(segments, 2)
		}
	}
	return segments
}
