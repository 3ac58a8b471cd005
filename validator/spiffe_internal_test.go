package validator

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
)

// spiffeID is SPIFFE-ID §2 as far as an expression can say it.
var spiffeID = regexp.MustCompile(`\Aspiffe://([a-z0-9._-]{1,255})((?:/[a-zA-Z0-9._-]+)+)\z`)

// FuzzTrustDomainOf compares with a second reader, and with what net/url makes of a
// text that both take: no part of it is anything but scheme, host and path.
func FuzzTrustDomainOf(f *testing.F) {
	for _, seed := range []string{
		"spiffe://example.org/x", "spiffe://example.org", "spiffe://example.org/", "spiffe://example.org/a/b", "SPIFFE://example.org/x", "spiffe://Example.org/x",
		"spiffe://u@example.org/x", "spiffe://example.org:1/x", "spiffe://example.org/x?y", "spiffe://example.org/x#y", "spiffe://example.org/%78", "spiffe://example.org/../x",
		"spiffe://example.org/./x", "spiffe://example.org//x", "spiffe://example.org/x/", "spiffe:///x", "spiffe://[::1]/x", "spiffe://example.org/\u212a", "spiffe://example.org/x\n", "spiffe://.../...", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		domain, problem := trustDomainOf(id)
		parts := spiffeID.FindStringSubmatch(id)
		good := parts != nil && len(id) <= 2048 && path.Clean(parts[2]) == parts[2]
		if good != (problem == "") {
			t.Fatalf("%q: %q, and the second reader says %v", id, problem, good)
		}
		if !good {
			if domain != "" {
				t.Fatalf("%q: %q is refused, and has domain %q", id, problem, domain)
			}
			return
		}
		u, err := url.Parse(id)
		if err != nil || u.Scheme != "spiffe" || u.Host != domain || u.Hostname() != domain || u.User != nil || u.Port() != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.RawPath != "" ||
			domain != parts[1] || u.Path != parts[2] || u.String() != id || strings.ToLower(domain) != domain {
			t.Fatalf("%q: domain %q, and net/url reads %#v (%v)", id, domain, u, err)
		}
	})
}
