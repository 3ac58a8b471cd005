package jwks_test

import (
	"context"
	"crypto/elliptic"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/jwks"
)

// nameless is a key without a kid.
func nameless(k key) key { return k.with("kid", nil) }

// names tells keys of the test from each other by their x.
func named(keys map[string]key, got []*jwks.Key) []string {
	var out []string
	for _, g := range got {
		for name, k := range keys {
			if members(k)["x"] == public(g)["x"] && members(k)["n"] == public(g)["n"] {
				out = append(out, name)
			}
		}
	}
	return out
}

func TestCandidates(t *testing.T) {
	keys := map[string]key{"rsa": nameless(rsaKey(""))}
	for _, n := range []string{"a", "b", "c", "d", "e", "f"} {
		keys[n] = ed(n)
		keys["-"+n] = nameless(ed(""))
		keys["P"+n] = ec("P"+n, elliptic.P256())
	}
	x5t := func(name, x5t string) { keys[name] = keys[name].with("x5t", x5t) }
	x5t("a", "_a")
	x5t("b", "/b==") // standard base64, padded
	x5t("-a", "_na")
	x5t("-b", "_nb")
	keys["c"] = keys["c"].with("x5t#S256", "c256", "x5t", 7)
	twin := keys["a"].with("kid", "twin")
	for name, c := range map[string]struct {
		set  string
		hint jwks.Hint
		want string // names; "!" and part of the error otherwise
	}{
		"a kid that a key has":                      {"a b -a", jwks.Hint{KeyID: "a", HasKeyID: true}, "a"},
		"of another algorithm":                      {"Pa -a a", jwks.Hint{KeyID: "Pa", HasKeyID: true}, `!kid "Pa" does not serve "EdDSA"`},
		"nor does x5t help then":                    {"Pa b", jwks.Hint{KeyID: "Pa", HasKeyID: true, X5T: "_b"}, `!kid "Pa" does not serve`},
		"nor another x5t harm a kid":                {"a b", jwks.Hint{KeyID: "a", HasKeyID: true, X5T: "_b"}, "a"},
		"a kid that no key has":                     {"a -a b -b Pa rsa", jwks.Hint{KeyID: "z", HasKeyID: true}, "-a -b"},
		"where every key has one":                   {"a b", jwks.Hint{KeyID: "z", HasKeyID: true}, `!kid "z" is not in the set`},
		"where those without are of other kinds":    {"a rsa", jwks.Hint{KeyID: "z", HasKeyID: true}, `!kid "z" is not in the set`},
		"where too many have none":                  {"-a -b -c -d -e", jwks.Hint{KeyID: "z", HasKeyID: true}, "-a -b -c -d"},
		"an x5t chooses among those without":        {"-a -b a", jwks.Hint{KeyID: "z", HasKeyID: true, X5T: "_nb"}, "-b"},
		"an x5t of a key with a kid chooses none":   {"a b", jwks.Hint{KeyID: "z", HasKeyID: true, X5T: "_a"}, `!kid "z" is not in the set`},
		"an empty kid is one":                       {"a b", jwks.Hint{HasKeyID: true}, `!kid "" is not in the set`},
		"no kid":                                    {"a -a b Pa rsa", jwks.Hint{}, "a -a b"},
		"no kid, and none of the algorithm":         {"Pa rsa", jwks.Hint{}, `!no key of the set serves "EdDSA"`},
		"no kid, and many":                          {"a b c d e f", jwks.Hint{}, "a b c d"},
		"no kid, the same key under two":            {"a twin b", jwks.Hint{}, "a b"},
		"no kid, and x5t":                           {"a b c", jwks.Hint{X5T: "_a"}, "a"},
		"no kid, and x5t in another spelling":       {"a b c", jwks.Hint{X5T: "_b"}, "b"},
		"no kid, and x5t#S256":                      {"a b c", jwks.Hint{X5TS256: "c256"}, "c"},
		"an x5t beyond the fourth":                  {"d e f Pa c b a", jwks.Hint{X5T: "_a"}, "a"},
		"an x5t that no key has":                    {"a b", jwks.Hint{X5T: "_z"}, "a b"},
		"an x5t is no x5t#S256":                     {"a c", jwks.Hint{X5T: "c256"}, "a c"},
		"an empty x5t":                              {"a c", jwks.Hint{}, "a c"},
		"an x5t of a key of another algorithm":      {"a b", jwks.Hint{X5T: "_a", Algorithm: "ES256"}, `!no key of the set serves "ES256"`},
		"RFC 9864's name of the algorithm":          {"a b Pa", jwks.Hint{Algorithm: "Ed25519"}, "a b"},
		"HMAC, to take a public key for the secret": {"a b rsa", jwks.Hint{Algorithm: "HS256"}, `!no key of the set serves "HS256"`},
		"none": {"a -b", jwks.Hint{KeyID: "z", HasKeyID: true, Algorithm: "none"}, `!kid "z" is not in the set`},
	} {
		t.Run(name, func(t *testing.T) {
			var published []key
			for _, n := range strings.Fields(c.set) {
				if n == "twin" {
					published = append(published, twin)
					continue
				}
				published = append(published, keys[n])
			}
			if c.hint.Algorithm == "" {
				c.hint.Algorithm = "EdDSA"
			}
			s, err := jwks.New(jwks.Config{Set: set(published...)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			got, err := s.Candidates(t.Context(), c.hint)
			if text, bad := strings.CutPrefix(c.want, "!"); bad {
				if got != nil || !errors.Is(err, jwks.ErrKeyNotFound) || !strings.Contains(err.Error(), text) {
					t.Errorf("got %v, %v, wanted ErrKeyNotFound with %q", got, err, text)
				}
				return
			}
			if diff := cmp.Diff(strings.Fields(c.want), named(keys, got)); err != nil || diff != "" {
				t.Fatalf("%v (-want +got):\n%s", err, diff)
			}
			// Asked again, with what was tried, there is what is left of four.
			more, err := s.Candidates(t.Context(), c.hint, got...)
			if more != nil || !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Errorf("asked again: %v, %v, wanted ErrKeyNotFound", named(keys, more), err)
			}
			if one, err := s.Lookup(t.Context(), c.hint.KeyID, c.hint.HasKeyID, c.hint.Algorithm); len(got) > 1 && !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Errorf("Lookup chose %v of several, %v", one, err)
			}
		})
	}
}

// ask asks for candidates of EdDSA.
func ask(s *jwks.KeySet, h jwks.Hint, tried ...*jwks.Key) ([]*jwks.Key, error) {
	h.Algorithm = "EdDSA"
	return s.Candidates(context.Background(), h, tried...)
}

func TestCandidatesOfRotatedKeys(t *testing.T) {
	unknown := jwks.Hint{KeyID: "z", HasKeyID: true}
	old, fresh, extra := nameless(ed("")), nameless(ed("")), ed("extra")
	all := map[string]key{"old": old, "fresh": fresh, "extra": extra}
	tried := func(s *jwks.KeySet, h jwks.Hint) []*jwks.Key {
		keys, err := ask(s, h)
		if err != nil {
			t.Errorf("Candidates: %v", err)
		}
		return keys
	}
	want := func(t *testing.T, want string, got []*jwks.Key, err error) {
		t.Helper()
		if diff := cmp.Diff(strings.Fields(want), named(all, got)); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	}
	for name, step := range map[string]func(t *testing.T, iss *issuer, s *jwks.KeySet){
		"an unknown kid is asked for before others are tried": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			iss.keys(fresh, extra)
			got, err := ask(s, unknown)
			want(t, "fresh", got, err)
			wantCount(t, iss, 2)
			got, err = ask(s, jwks.Hint{KeyID: "extra", HasKeyID: true})
			want(t, "extra", got, err)
			wantCount(t, iss, 2)
		},
		"and once": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			keys := tried(s, unknown)
			wantCount(t, iss, 2)
			if got, err := ask(s, unknown, keys...); !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Errorf("got %v, %v", got, err)
			}
			wantCount(t, iss, 2)
		},
		"without budget what is there is tried": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			for range 100 {
				want(t, "old", tried(s, unknown), nil)
			}
			wantCount(t, iss, 3)
		},
		"no kid: a newer set is asked for after the trials": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			keys := tried(s, jwks.Hint{})
			wantCount(t, iss, 1)
			iss.keys(old, extra, fresh)
			got, err := ask(s, jwks.Hint{}, keys...)
			want(t, "extra fresh", got, err)
			wantCount(t, iss, 2)
		},
		"no kid: and not when one came meanwhile": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			keys := tried(s, jwks.Hint{})
			iss.keys(old, fresh)
			tried(s, unknown)
			wantCount(t, iss, 2)
			got, err := ask(s, jwks.Hint{}, keys...)
			want(t, "fresh", got, err)
			wantCount(t, iss, 2)
		},
		"no kid: within the bounds for unknown kids": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			keys := tried(s, jwks.Hint{})
			for range 100 {
				if got, err := ask(s, jwks.Hint{}, keys...); !errors.Is(err, jwks.ErrKeyNotFound) {
					t.Fatalf("got %v, %v", got, err)
				}
			}
			wantCount(t, iss, 3)
			elapse(5 * time.Second)
			if got, err := ask(s, jwks.Hint{}, keys...); !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Fatalf("got %v, %v", got, err)
			}
			wantCount(t, iss, 4)
		},
		"a known kid asks for nothing": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			iss.keys(extra)
			h := jwks.Hint{KeyID: "extra", HasKeyID: true}
			keys := tried(s, h)
			wantCount(t, iss, 2)
			if got, err := ask(s, h, keys...); !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Errorf("got %v, %v", got, err)
			}
			wantCount(t, iss, 2)
		},
		"nor does a known x5t": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			iss.keys(extra.with("x5t", "x"), old)
			tried(s, unknown)
			wantCount(t, iss, 2)
			h := jwks.Hint{X5T: "x"}
			keys := tried(s, h)
			want(t, "extra", keys, nil)
			if got, err := ask(s, h, keys...); !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Errorf("got %v, %v", got, err)
			}
			wantCount(t, iss, 2)
		},
		"an x5t that no key has may be of a newer one": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			h := jwks.Hint{X5T: "x"}
			keys := tried(s, h)
			iss.keys(old, fresh, extra.with("x5t", "x"))
			got, err := ask(s, h, keys...)
			want(t, "extra", got, err)
		},
		"no more than four in all": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			keys := tried(s, jwks.Hint{})
			iss.keys(old, ed("1"), ed("2"), ed("3"), ed("4"))
			more, err := ask(s, jwks.Hint{}, keys...)
			if len(more) != 3 || err != nil {
				t.Fatalf("got %d more, %v, wanted 3", len(more), err)
			}
			before := iss.count()
			if got, err := ask(s, jwks.Hint{}, append(keys, more...)...); !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Errorf("a fifth: %v, %v", got, err)
			}
			wantCount(t, iss, before)
		},
		"one trial is kept for a key that comes": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			many := []key{ed("1"), ed("2"), ed("3"), ed("4"), ed("5")}
			iss.keys(many...)
			_, _ = ask(s, unknown) // a fetch
			keys := tried(s, jwks.Hint{})
			if len(keys) != 3 {
				t.Fatalf("got %d keys at first, wanted 3", len(keys))
			}
			iss.keys(append(many, fresh)...) // behind all others
			before := iss.count()
			got, err := ask(s, jwks.Hint{}, keys...)
			want(t, "fresh", got, err)
			wantCount(t, iss, before+1)
			if got, err := ask(s, jwks.Hint{}, append(keys, got...)...); !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Errorf("a fifth: %v, %v", got, err)
			}
			wantCount(t, iss, before+1)
		},
		"or else for the fourth one, which comes first once it is proved": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			iss.keys(ed("1"), ed("2"), ed("3"), ed("4"))
			_, _ = ask(s, unknown)
			keys := tried(s, jwks.Hint{})
			got, err := ask(s, jwks.Hint{}, keys...)
			if err != nil || len(got) != 1 || got[0].ID() != "4" {
				t.Fatalf("got %v, %v", got, err)
			}
			s.Proved(jwks.Hint{}, got[0])
			if keys := tried(s, jwks.Hint{}); len(keys) != 3 || keys[0] != got[0] {
				t.Errorf("got %v", keys)
			}
		},
		"an issuer that cannot be asked is not the token's fault": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			iss.down()
			for _, h := range []jwks.Hint{unknown, {}} {
				keys := tried(s, h)
				want(t, "old", keys, nil)
				for range 5 {
					if got, err := ask(s, h, keys...); !errors.Is(err, jwks.ErrUnavailable) || !errors.Is(err, errNoConnection) {
						t.Errorf("got %v, %v", got, err)
					}
				}
			}
			wantCount(t, iss, 3)
		},
		"who gives up tries nothing": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			iss.serve(slowly(time.Second, answer(set(old))))
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			h := unknown
			h.Algorithm = "EdDSA"
			if got, err := s.Candidates(ctx, h); got != nil || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, %v", got, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := &issuer{}
				iss.keys(old)
				s := open(t, iss, jwks.Config{})
				if err := s.Ready(t.Context()); err != nil {
					t.Fatal(err)
				}
				step(t, iss, s)
			})
		})
	}
}

// A flood of tokens without a kid costs the issuer what one of made-up kids does.
func TestFloodWithoutKIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := &issuer{}
		iss.keys(ed("a"), ed("b"))
		s := open(t, iss, jwks.Config{})
		began := time.Now()
		for n := range 20000 {
			h := jwks.Hint{}
			if n%2 == 0 {
				h = jwks.Hint{KeyID: fmt.Sprint("made up ", n), HasKeyID: true}
			}
			keys, _ := ask(s, h)
			_, _ = ask(s, h, keys...)
			elapse(time.Millisecond)
		}
		if n := iss.count(); n > 1+2+int(time.Since(began)/(5*time.Second)) {
			t.Errorf("%v of flood caused %d fetches", time.Since(began), n)
		}
	})
}

func TestCandidatesOfOneAllocateNothing(t *testing.T) {
	iss := &issuer{}
	iss.keys(ed("a"), rsaKey("b"))
	s := open(t, iss, jwks.Config{})
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for name, h := range map[string]jwks.Hint{
		"kid":    {KeyID: "a", HasKeyID: true, Algorithm: "EdDSA"},
		"no kid": {Algorithm: "EdDSA"},
		"x5t":    {Algorithm: "EdDSA", X5T: "unknown"},
	} {
		if n := testing.AllocsPerRun(100, func() { _, _ = s.Candidates(ctx, h) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestHeld: what is held is told without a fetch, also for a kid that nobody knows, and
// that keeps no set in use.
func TestHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ed("a")
		iss := &issuer{}
		iss.keys(k)
		s := open(t, iss, jwks.Config{})
		h := jwks.Hint{KeyID: "a", HasKeyID: true, Algorithm: "EdDSA"}
		if _, err := s.Held(h); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("before the first fetch: %v", err)
		}
		wantCount(t, iss, 0)
		want := wantKey(t, s, k)
		if keys, err := s.Held(h); err != nil || len(keys) != 1 || keys[0] != want {
			t.Errorf("%v, %v, wanted the key", keys, err)
		}
		if _, err := s.Held(h, want); !errors.Is(err, jwks.ErrKeyNotFound) {
			t.Errorf("where it was tried: %v", err)
		}
		if _, err := s.Held(jwks.Hint{KeyID: "made up", HasKeyID: true, Algorithm: "EdDSA"}); !errors.Is(err, jwks.ErrKeyNotFound) {
			t.Errorf("a kid that nobody knows: %v", err)
		}
		wantCount(t, iss, 1)
		for range 100 {
			elapse(10 * time.Minute)
			_, _ = s.Held(h)
		}
		wantCount(t, iss, 2) // in use since the fetch: refreshed once
		if _, err := s.Held(h); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("of an aged set: %v", err)
		}
	})
}
