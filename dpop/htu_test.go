package dpop_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/dpop"
)

// TestHTU compares pairs of URLs, both ways round where both can be a htu.
func TestHTU(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"https://[::1]/x", "https://[::1]:443/x", true},
		{"https://[2001:DB8::1]/x", "https://[2001:db8::1]/x", true},
		{"https://[::1]/x", "https://[::2]/x", false},
		{"http://[::1]:8080/x", "http://[::1]:8080/x?y", true},
		{"http://[::1]:8080/x", "http://[::1]/x", false},
		{"http://h:80", "HTTP://H/", true},
		{"http://h:443/", "http://h/", false},
		{"https://h:80/", "https://h/", false},
		{"http://h/", "https://h/", false},
		{"https://h/a/b/../c", "https://h/a/c", true},
		{"https://h/a/b/../../../c", "https://h/c", true},
		{"https://h/a/..", "https://h/", true},
		{"https://h/a/../", "https://h", true},
		{"https://h/a/b/.", "https://h/a/b/", true},
		{"https://h/a/b/..", "https://h/a/", true},
		{"https://h/a//../b", "https://h/a/b", true},
		{"https://h/..a/b", "https://h/a/b", false},
		{"https://h/.../b", "https://h/b", false},
		{"https://h/a%2F..%2Fb", "https://h/b", false},
		{"https://h/%2e%2E/b", "https://h/b", true},
		{"https://h/%41%5a%7A", "https://h/AZz", true},
		{"https://h/%c3%a9", "https://h/%C3%A9", true},
		{"https://h/%25", "https://h/%", false},
		{"https://h/a%20b", "https://h/a+b", false},
		{"https://h/A", "https://h/a", false},
		{"https://h/a/", "https://h/a", false},
		{"https://H%41/", "https://ha/", true},
		{"https://h/a?x#y", "https://h/a#z", true},
		{"https://h/%3F", "https://h/?", false},
	} {
		if same, problem := dpop.SameURL(tc.a, tc.b); same != tc.same || problem != "" {
			t.Errorf("%q, %q: %v %s", tc.a, tc.b, same, problem)
		}
		if !strings.HasSuffix(tc.b, "%") {
			if same, problem := dpop.SameURL(tc.b, tc.a); same != tc.same || problem != "" {
				t.Errorf("%q, %q: %v %s", tc.b, tc.a, same, problem)
			}
		}
	}
	for _, htu := range []string{"", "x", "/", "//h/", "https:", "https://", "https:///", "ftp://h/", "https://u@h/", "https://h:x/", "https://[::1", "https://::1/", "https://h/%", "https://h/ ", "https://h/é"} {
		if same, problem := dpop.SameURL(htu, "https://h/"); same || problem == "" && htu != "https://::1/" {
			t.Errorf("%q is a htu", htu)
		}
	}
}

// TestSameURLCostsNothing where both are spelt alike, as almost always.
func TestSameURLCostsNothing(t *testing.T) {
	for _, pair := range [][2]string{
		{"https://api.example.test/orders/1", "https://api.example.test/orders/1"},
		{"https://api.example.test/a%20b/../c", "https://api.example.test/a%20b/../c?x=1"},
		{"https://API.example.test:443/orders", "https://api.example.test/orders"},
	} {
		if n := testing.AllocsPerRun(100, func() {
			if same, _ := dpop.SameURL(pair[0], pair[1]); !same {
				t.Error("not the same")
			}
		}); n != 0 {
			t.Errorf("%q: %v allocations", pair, n)
		}
	}
}

// FuzzHTU holds the comparison against a slow one, which goes by RFC 3986's own
// expression and its own words for dot segments.
func FuzzHTU(f *testing.F) {
	for _, seed := range [][2]string{
		{"https://api.example.test/orders", "https://api.example.test:443/x/../%6Frders?q#f"}, {"http://h", "HTTP://H:80/"}, {"https://[::1]/", "https://[::1]:443/./"},
		{"https://u@h/", "https://h/"}, {"https://h/%zz", "https://h/%zz"}, {"https://h/a/../../b/.", "https://h/b/"}, {"https://h%41/", "https://ha/"}, {"https://h/..", "https://h"}, {"https://h:/%2e%2e", "https://h"},
		{"//h/", "https://h/"}, {"https://h\\x/", "https://h/"}, {"https://h/é", "https://h/%C3%A9"}, {"https://h/a//../b", "https://h/a/b"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, htu, request string) {
		same, problem := dpop.SameURL(htu, request)
		want, ok := slowly(htu, request)
		if same != want || (problem == "") != ok {
			t.Fatalf("%q, %q: %v %q, the slow reader %v %v", htu, request, same, problem, want, ok)
		}
		if again, _ := dpop.SameURL(htu+"?x", request+"#y"); same && !strings.ContainsAny(htu+request, "?#") && !again {
			t.Fatalf("%q, %q: another with a query", htu, request)
		}
		if back, problem := dpop.SameURL(request, htu); same && problem == "" && !back {
			t.Fatalf("%q, %q: the same one way alone", htu, request)
		}
		// What two say is one, Go's reader says has one scheme, and no user.
		if u, err := url.Parse(htu); same && err == nil && (u.User != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			t.Fatalf("%q is %#v", htu, u)
		}
	})
}

// uri is of RFC 3986 Appendix B.
var (
	uri       = regexp.MustCompile(`(?s)^(([^:/?#]+):)?(//([^/?#]*))?([^?#]*)`)
	authority = regexp.MustCompile(`^(?s:(\[[^\[\]\\@]+\]|[^\[\]:\\@]+))(:([0-9]*))?$`)
	escape    = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	outside   = regexp.MustCompile(`[^!-~]|%($|[^0-9A-Fa-f]|.$|.[^0-9A-Fa-f])`)
)

func slowly(htu, request string) (same, ok bool) {
	bare := func(s string) string { return regexp.MustCompile(`(?s)[?#].*`).ReplaceAllString(s, "") }
	a, ok := parts(bare(htu))
	if !ok {
		return false, false
	}
	if bare(htu) == bare(request) {
		return true, true
	}
	if outside.MatchString(bare(htu)) {
		return false, false
	}
	b, ok := parts(bare(request))
	return ok && a == b, true
}

func parts(text string) (parts [4]string, ok bool) {
	m := uri.FindStringSubmatch(text)
	scheme := asciiLower(m[2])
	host := authority.FindStringSubmatch(m[4])
	if m[3] == "" || scheme != "http" && scheme != "https" || host == nil {
		return parts, false
	}
	port := host[3]
	if port == map[string]string{"http": "80", "https": "443"}[scheme] {
		port = ""
	}
	return [4]string{scheme, asciiLower(plain(host[1])), port, dotless(plain(m[5]))}, true
}

func asciiLower(s string) string {
	return regexp.MustCompile(`[A-Z]`).ReplaceAllStringFunc(s, strings.ToLower)
}

func plain(s string) string {
	return escape.ReplaceAllStringFunc(s, func(e string) string {
		if text, err := url.PathUnescape(e); err == nil && regexp.MustCompile(`^[A-Za-z0-9._~-]$`).MatchString(text) {
			return text
		}
		return strings.ToUpper(e)
	})
}

// dotless is RFC 3986 §5.2.4, step by step.
func dotless(in string) (out string) {
	if in == "" {
		return "/"
	}
	for in != "" {
		switch {
		case strings.HasPrefix(in, "/./"):
			in = in[2:]
		case in == "/.":
			in = "/"
		case strings.HasPrefix(in, "/../"), in == "/..":
			if in = in[3:]; in == "" {
				in = "/"
			}
			out = out[:max(0, strings.LastIndex(out, "/"))]
		default:
			next := strings.Index(in[1:], "/") + 1
			if next == 0 {
				next = len(in)
			}
			out, in = out+in[:next], in[next:]
		}
	}
	return out
}
