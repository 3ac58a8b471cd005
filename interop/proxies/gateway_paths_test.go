//go:build interop

package proxies_test

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

var (
	pathSeed   = flag.Uint64("pathseed", 0, "what the paths are made from; 0 for the time")
	pathInputs = flag.Int("paths", 1000, "how many paths each proxy is sent")
)

// pieces are what paths are made of: what CVE-2019-9901, -2021-29492, -2021-32779,
// -2025-66490, -2026-27587, GHSA-xf64-8mw2-4gr2 and their kin were made of, and plain
// words.
var pieces = []string{
	"/", "//", "/.", "/..", "/./", "/../", "/...", "/%2e", "/%2e%2e/", "/%2E%2e", "/.%2e/", "/..%2f", "%2f", "%2F", "%5c", "%5C", "\\", "/..\\", "..%5c",
	"%00", "%0a", "%0d%0a", "%09", "%20", "%7f", ";", ";a=b", "/..;/", "/;/", "%3b", "%3f", "?", "%23", "#", "%25", "%252e%252e", "%252f", "%c0%af", "%c0%ae%c0%ae/",
	"%e0%80%af", "%ef%bc%8f", "%ef%bc%8e%ef%bc%8e/", "%e2%84%aa", "%c5%bf", "%u002f", "%", "%4", "%zz", "admin", "ADMIN", "Admin", "%61dmin", "adm%69n", "a%64min", "%41DMIN",
	"orders", "ORDERS", "order%73", "public", "/admin", "/orders", "/public", "/admin/users", "/orders/17", "/public/logo.png", "x", "/x", ".", "..", "~", "@", ":", "&", "=", ",", "%2c", "%40",
	"/public/../admin/", "/orders/../admin/users", "/public/%2e%2e/admin/x", "/admin/.", "/public;/../admin/x", "/public/..%2fadmin/x",
}

// paths makes a path of pieces.
func confusing(random *rand.Rand) string {
	var b strings.Builder
	b.WriteString([]string{"/public", "/orders", "/admin", "/public/", "/orders/", "", "/"}[random.IntN(7)])
	for range 1 + random.IntN(4) {
		b.WriteString(pieces[random.IntN(len(pieces))])
	}
	text := b.String()
	if text == "" || text[0] != '/' {
		text = "/" + text
	}
	return text
}

// readings are what APIs have made of a target: as it is, without its escapes once and
// twice, each of those with dots resolved, slashes joined, backslashes turned, what comes
// behind a semicolon or a NUL left out, small, and composed.
func readings(target string) map[string]bool {
	all := make(map[string]bool)
	raw, _, _ := strings.Cut(target, "?")
	for _, text := range []string{raw, strings.SplitN(raw, "#", 2)[0]} {
		for range 3 {
			for _, one := range []string{text, strings.ReplaceAll(text, "\\", "/"), narrow(text)} {
				all[one] = true
				all[withoutParameters(one)] = true
				before, _, _ := strings.Cut(one, "\x00")
				all[before] = true
			}
			if once, err := url.PathUnescape(text); err == nil {
				text = once
			} else {
				text = strings.NewReplacer("%2e", ".", "%2f", "/", "%5c", "/", "%61", "a").Replace(strings.ToLower(text)) // who unescapes what he can
			}
		}
	}
	for one := range all {
		cleaned := path.Clean("/" + one)
		all[cleaned] = true
		all[strings.ToLower(cleaned)] = true
	}
	return all
}

// narrow turns full-width twins of ASCII, and two letters whose other case is ASCII's, into
// that.
func narrow(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 0xff01 <= r && r <= 0xff5e:
			return r - 0xff00 + 0x20
		case r == '\u212a':
			return 'k'
		case r == 'ſ':
			return 's'
		}
		return r
	}, text)
}

// withoutParameters leaves out what follows a semicolon in each segment.
func withoutParameters(p string) string {
	segments := strings.Split(p, "/")
	for n, s := range segments {
		segments[n], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// below reports whether some reading is a path or below it.
func below(all map[string]bool, what string) string {
	for one := range all {
		if one == what || strings.HasPrefix(one, what+"/") {
			return one
		}
	}
	return ""
}

// TestPathConfusion: whatever is made of pieces, no request reaches the API by a path that
// some reader takes for a guarded one, unless it has what that one's rule asks for.
func TestPathConfusion(t *testing.T) {
	seed := *pathSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-pathseed=%d", seed)
	for _, p := range gates {
		t.Run(p.name, func(t *testing.T) {
			s := p.erect(t, "{headers: true}")
			token := s.iss.Token(issuertest.Claims{Scope: "orders:read"})
			random := rand.New(rand.NewPCG(seed, 1))
			statuses, passed := make(map[int]int), 0
			for range *pathInputs {
				target := confusing(random)
				with := random.IntN(2) == 0
				authorization := ""
				if with {
					authorization = "Authorization: Bearer " + token + "\r\n"
				}
				s.take()
				statuses[s.raw(t, target, authorization)]++
				for _, got := range s.take() {
					passed++
					all := readings(got.Target)
					if at := below(all, "/admin"); at != "" {
						t.Errorf("%q reaches the API as %q, which may be read as %q, without the scope admin", target, got.Target, at)
					}
					if at := below(all, "/orders"); at != "" && !with {
						t.Errorf("%q reaches the API as %q, which may be read as %q, without a token", target, got.Target, at)
					}
				}
			}
			t.Logf("%d paths, %d reached the API: %v", *pathInputs, passed, statuses)
			if passed < *pathInputs/100 {
				t.Errorf("%d of %d reached the API: the paths are no test", passed, *pathInputs)
			}
		})
	}
}

// raw sends a request with a target as it is, and returns the status of the answer, or 0.
func (s *stand) raw(t *testing.T, target, header string) int {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: api.example.com\r\n%sConnection: close\r\n\r\n", target, header); err != nil {
		return 0 // it hung up
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}
