package jwks_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

const (
	oidcPath    = "/.well-known/openid-configuration"
	rfc8414Path = "/.well-known/oauth-authorization-server"
)

// site serves several paths of one issuer; what is missing is a 404.
func site(paths map[string]http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if h, ok := paths[r.URL.Path]; ok {
			h(w, r)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}
}

func document(issuer, jwksURI string) http.HandlerFunc {
	return answer(fmt.Appendf(nil, `{"issuer":%q,"jwks_uri":%q}`, issuer, jwksURI))
}

func paths(all []asked) []string {
	var out []string
	for _, a := range all {
		out = append(out, a.path)
	}
	return out
}

func TestDiscovery(t *testing.T) {
	k := ed("a")
	keys := answer(set(k))
	cases := map[string]struct {
		issuer string
		paths  map[string]http.HandlerFunc
		asked  []string
		faults []string // parts of the error, none: discovery works
	}{
		"OpenID Connect": {
			paths: map[string]http.HandlerFunc{oidcPath: document("https://id.example.com", "https://id.example.com/k"), "/k": keys},
			asked: []string{oidcPath, "/k"},
		},
		"RFC 8414": {
			paths: map[string]http.HandlerFunc{rfc8414Path: document("https://id.example.com", "https://keys.example.net/k?p=1"), "/k": keys},
			asked: []string{oidcPath, rfc8414Path, "/k"},
		},
		"RFC 8414, after HTML with 200": {
			paths: map[string]http.HandlerFunc{oidcPath: answer([]byte("<html>")), rfc8414Path: document("https://id.example.com", "https://id.example.com/k"), "/k": keys},
			asked: []string{oidcPath, rfc8414Path, "/k"},
		},
		"issuer with a path": {
			issuer: "https://id.example.com/realms/r",
			paths:  map[string]http.HandlerFunc{rfc8414Path + "/realms/r": document("https://id.example.com/realms/r", "https://id.example.com/k"), "/k": keys},
			asked:  []string{"/realms/r" + oidcPath, rfc8414Path + "/realms/r", "/k"},
		},
		"issuer with a path, at an elder place": {
			issuer: "https://id.example.com/realms/r",
			paths:  map[string]http.HandlerFunc{oidcPath + "/realms/r": document("https://id.example.com/realms/r", "https://id.example.com/k"), "/k": keys},
			asked:  []string{"/realms/r" + oidcPath, rfc8414Path + "/realms/r", "/realms/r" + rfc8414Path, oidcPath + "/realms/r", "/k"},
		},
		"an encoding that was not asked for": {
			paths:  map[string]http.HandlerFunc{oidcPath: document("https://id.example.com", "https://id.example.com/k"), "/k": answer([]byte("\x8b\x02"), "Content-Encoding", "br")},
			asked:  []string{oidcPath, "/k"},
			faults: []string{`content encoding "br", which was not asked for: not a strict JSON object`},
		},
		"metadata in an encoding that is unknown": {
			paths:  map[string]http.HandlerFunc{oidcPath: answer([]byte("\x8b\x02"), "Content-Encoding", "secret")},
			asked:  []string{oidcPath, rfc8414Path},
			faults: []string{"a content encoding of another name than is known, which was not asked for and not a JSON object"},
		},
		"another issuer is named": {
			paths:  map[string]http.HandlerFunc{oidcPath: document("https://id.example.com/", "https://id.example.com/k"), "/k": keys},
			asked:  []string{oidcPath, rfc8414Path},
			faults: []string{`names issuer "https://id.example.com/", wanted exactly "https://id.example.com"`, "https://id.example.com" + oidcPath, "https://id.example.com" + rfc8414Path, "status 404"},
		},
		"no jwks_uri": {
			paths:  map[string]http.HandlerFunc{oidcPath: answer([]byte(`{"issuer":"https://id.example.com"}`))},
			asked:  []string{oidcPath, rfc8414Path},
			faults: []string{"has no jwks_uri"},
		},
		"jwks_uri over http": {
			paths:  map[string]http.HandlerFunc{oidcPath: document("https://id.example.com", "http://127.0.0.1/k"), "/k": keys},
			asked:  []string{oidcPath, rfc8414Path},
			faults: []string{`"http://127.0.0.1/k" is http`},
		},
		"redirected": {
			paths:  map[string]http.HandlerFunc{oidcPath: http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP, "/elsewhere": document("https://id.example.com", "https://id.example.com/k"), "/k": keys},
			asked:  []string{oidcPath, rfc8414Path},
			faults: []string{"status 302"},
		},
		"key set missing": {
			paths:  map[string]http.HandlerFunc{oidcPath: document("https://id.example.com", "https://id.example.com/k?secret=1")},
			asked:  []string{oidcPath, "/k"},
			faults: []string{"key set at https://id.example.com/k: status 404"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.issuer == "" {
				c.issuer = "https://id.example.com"
			}
			iss, seen := &issuer{}, &events{}
			iss.serve(site(c.paths))
			s := open(t, iss, jwks.Config{Issuer: c.issuer, Observer: observe.Observer{Event: seen.add}})
			if c.faults == nil {
				wantKey(t, s, k)
			} else {
				err := wantUnavailable(t, s, k)
				s.Close() // waits for the Observer
				failed := seen.of(observe.RefreshFailed)
				if len(failed) != 1 || failed[0].Issuer.Text != c.issuer {
					t.Fatalf("got events %v", failed)
				}
				for _, want := range c.faults {
					if !strings.Contains(err.Error(), want) || !strings.Contains(failed[0].Err.Error(), want) {
						t.Errorf("%q does not say %q", err, want)
					}
				}
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("%q holds the query", err)
				}
			}
			if diff := cmp.Diff(c.asked, paths(iss.requests())); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// The address is remembered, and read again after a failure and once a day.
func TestRediscovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const id = "https://id.example.com"
		k, fresh, seen := ed("a"), ed("fresh"), &events{}
		iss := &issuer{}
		iss.serve(site(map[string]http.HandlerFunc{oidcPath: document(id, id+"/old"), "/old": answer(set(k))}))
		s := open(t, iss, jwks.Config{Issuer: id, Observer: observe.Observer{Event: seen.add}})
		got := wantKey(t, s, k)
		discovered := func() (n int) {
			for _, p := range paths(iss.requests()) {
				if p == oidcPath {
					n++
				}
			}
			return n
		}
		keepUsing(s, got, 24*time.Hour, time.Second)
		if n := discovered(); n != 1 {
			t.Errorf("the metadata was read %d times in a day, wanted 1", n)
		}
		keepUsing(s, got, time.Hour, time.Second)
		if n := discovered(); n != 2 {
			t.Errorf("the metadata was read %d times in a day and an hour, wanted 2", n)
		}

		// Moved: the old address fails, so the metadata is read and names the new one.
		iss.serve(site(map[string]http.HandlerFunc{oidcPath: document(id, id+"/new"), "/new": answer(set(k, fresh))}))
		keepUsing(s, got, 20*time.Minute, time.Second)
		wantKey(t, s, fresh)

		// The metadata is broken, the keys are not: the address from before serves.
		iss.serve(site(map[string]http.HandlerFunc{"/new": answer(set(k))}))
		if _, not := keepUsing(s, got, 49*time.Hour, time.Second); not != 0 {
			t.Errorf("not usable %d times", not)
		}
		failed := seen.of(observe.DiscoveryFailed)
		if len(failed) == 0 || !strings.Contains(failed[0].Err.Error(), "status 404") || failed[0].URL != id+"/new" {
			t.Errorf("got DiscoveryFailed %v", failed)
		}

		// Both are broken: the error names both.
		iss.serve(site(nil))
		keepUsing(s, got, time.Hour, time.Second)
		refresh := seen.of(observe.RefreshFailed)
		last := refresh[len(refresh)-1].Err.Error()
		for _, want := range []string{"key set at " + id + "/new: status 404", "discovery at " + id + oidcPath} {
			if !strings.Contains(last, want) {
				t.Errorf("%q does not say %q", last, want)
			}
		}
	})
}

func TestETagMeansNothingElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const id = "https://id.example.com"
		k := ed("a")
		iss := &issuer{}
		iss.serve(site(map[string]http.HandlerFunc{oidcPath: document(id, id+"/old"), "/old": answer(set(k), "ETag", `"1"`)}))
		s := open(t, iss, jwks.Config{Issuer: id})
		got := wantKey(t, s, k)
		iss.serve(site(map[string]http.HandlerFunc{oidcPath: document(id, id+"/new"), "/new": answer(set(k))}))
		keepUsing(s, got, time.Hour, time.Second)
		for _, r := range iss.requests() {
			if want := map[bool]string{true: `"1"`}[r.path == "/old" && r.at.After(iss.requests()[0].at)]; r.tag != want {
				t.Errorf("%s was asked with If-None-Match %q, wanted %q", r.path, r.tag, want)
			}
		}
	})
}
