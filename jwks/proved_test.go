package jwks_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
)

// TestProvedKIDs: where tokens have a kid and keys have none, honest tokens cost their
// issuer nothing more once one was verified, and bring new keys nonetheless.
func TestProvedKIDs(t *testing.T) {
	old, fresh := nameless(ed("")), nameless(ed(""))
	h := jwks.Hint{KeyID: "z", HasKeyID: true}
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, step := range map[string]func(t *testing.T, iss *issuer, s *jwks.KeySet){
		"no fetch for one that is proved": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			keys := must(ask(s, h))
			s.Proved(h, keys[0])
			before := iss.count()
			for range 20 {
				elapse(5 * time.Second)
				if got, err := ask(s, h); err != nil || len(got) != 1 || got[0] != keys[0] {
					t.Fatalf("got %v, %v", got, err)
				}
			}
			wantCount(t, iss, before)
		},
		"one for another": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			s.Proved(h, must(ask(s, h))[0])
			before := iss.count()
			_, _ = ask(s, jwks.Hint{KeyID: "y", HasKeyID: true})
			wantCount(t, iss, before+1)
		},
		"one if the trials fail": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			keys := must(ask(s, h))
			s.Proved(h, keys[0])
			iss.keys(old, fresh)
			got, err := ask(s, h, must(ask(s, h))...)
			if err != nil || len(got) != 1 || got[0].Thumbprint() == keys[0].Thumbprint() {
				t.Fatalf("got %v, %v", got, err)
			}
			s.Proved(h, got[0])
			before := iss.count()
			if got, err := ask(s, h); err != nil || len(got) != 2 {
				t.Errorf("got %v, %v", got, err)
			}
			wantCount(t, iss, before)
		},
		"and again when the key has left": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			s.Proved(h, must(ask(s, h))[0])
			iss.keys(fresh)
			_, _ = ask(s, jwks.Hint{KeyID: "y", HasKeyID: true})
			before := iss.count()
			elapse(5 * time.Second)
			_, _ = ask(s, h)
			wantCount(t, iss, before+1)
		},
		"a key takes the kid that the set gives it": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			s.Proved(h, must(ask(s, h))[0])
			iss.keys(old, fresh.with("kid", "z"))
			_, _ = ask(s, jwks.Hint{KeyID: "y", HasKeyID: true})
			if got, err := ask(s, h); err != nil || len(got) != 1 || got[0].ID() != "z" {
				t.Errorf("got %v, %v", got, err)
			}
		},
		"few are remembered, the last ones": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			k := must(ask(s, h))[0]
			s.Proved(h, k)
			for n := range 16 {
				s.Proved(jwks.Hint{KeyID: fmt.Sprint(n), HasKeyID: true}, k)
			}
			elapse(10 * time.Second)
			before := iss.count()
			for n := range 16 {
				_, _ = ask(s, jwks.Hint{KeyID: fmt.Sprint(n), HasKeyID: true})
			}
			wantCount(t, iss, before)
			_, _ = ask(s, h)
			wantCount(t, iss, before+1)
		},
		"an issuer that hangs is waited for RefreshWait": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			iss.serve(hang)
			start := time.Now()
			got, err := ask(s, h)
			if err != nil || len(got) != 1 || time.Since(start) != time.Second {
				t.Fatalf("got %v, %v after %v", got, err, time.Since(start))
			}
			s.Proved(h, got[0])
			start = time.Now()
			if got, err := ask(s, h); err != nil || len(got) != 1 || time.Since(start) != 0 {
				t.Errorf("proved: got %v, %v after %v", got, err, time.Since(start))
			}
		},
		"and to the end once the trials failed": func(t *testing.T, iss *issuer, s *jwks.KeySet) {
			iss.serve(slowly(3*time.Second, answer(set(old, fresh))))
			tried := must(ask(s, h))
			if got, err := ask(s, h, tried...); err != nil || len(got) != 1 {
				t.Errorf("the key that came: %v, %v", got, err)
			}
			elapse(10 * time.Second)
			iss.serve(hang)
			h := jwks.Hint{KeyID: "y", HasKeyID: true}
			tried = must(ask(s, h))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			h.Algorithm = "EdDSA"
			if got, err := s.Candidates(ctx, h, tried...); !errors.Is(err, jwks.ErrUnavailable) {
				t.Errorf("nobody knows yet: %v, %v", got, err)
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
