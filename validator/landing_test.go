package validator_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// holding makes iss hold up the first of its tokens within its verification,
// until release is closed. Nobody may call it then and expect another answer.
func holding(iss validator.Issuer, release <-chan struct{}) validator.Issuer {
	var calls atomic.Int64
	iss.AppOnly = true
	iss.Profile.App = func(*validator.Token) bool {
		if calls.Add(1) == 1 {
			<-release
		}
		return true
	}
	return iss
}

// requests are Verify calls with one token that begin one after the other.
type requests struct {
	t       *testing.T
	verify  func() (*validator.Token, error)
	pending sync.WaitGroup
}

// begin starts one and lets it go as far as it can.
func (r *requests) begin(when, want string) {
	r.pending.Go(func() {
		if got := outcome(r.verify()); got != want {
			r.t.Errorf("%s: %s, wanted %s", when, got, want)
		}
	})
	synctest.Wait()
}

// TestVerificationsUnderWay changes what a token must pass while its
// verification is under way: nobody is let in by the old rules, neither who
// verifies, nor who joined before the change, nor who comes after it.
func TestVerificationsUnderWay(t *testing.T) {
	const kid, key = "k", "ed25519-a"
	refresh := func(t *testing.T, v *validator.Validator, iss *issuertest.Issuer) {
		wantOutcome(t, "key")(v.Verify(t.Context(), byKey(iss, key, "unknown", goodClaims(iss, time.Now()))))
	}
	reconfigure := func(change func(*validator.Issuer)) func(*testing.T, *validator.Validator, *issuertest.Issuer, *directory) {
		return func(_ *testing.T, v *validator.Validator, iss *issuertest.Issuer, d *directory) {
			d.set(func(d *directory) {
				now := keysOf(iss)
				change(&now)
				d.issuers[iss.URL()] = now
			})
			v.ForgetIssuer(iss.URL())
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*testing.T, *validator.Validator, *issuertest.Issuer, *directory)
		want   string
	}{
		{"nothing", func(*testing.T, *validator.Validator, *issuertest.Issuer, *directory) {}, "ok"},
		{"forgotten", func(_ *testing.T, v *validator.Validator, iss *issuertest.Issuer, d *directory) {
			d.set(func(d *directory) { delete(d.issuers, iss.URL()) })
			v.ForgetIssuer(iss.URL())
		}, "iss"},
		{"another audience", reconfigure(func(i *validator.Issuer) { i.Audience = []string{"https://other.example.test"} }), "aud"},
		{"another client", reconfigure(func(i *validator.Issuer) { i.Clients = []string{"somebody else"} }), "client"},
		{"another algorithm", reconfigure(func(i *validator.Issuer) { i.Algorithms = []string{"RS256"} }), "alg"},
		{"another profile", reconfigure(func(i *validator.Issuer) { i.Profile = validator.RFC9068() }), "typ"},
		{"the same rules", reconfigure(func(*validator.Issuer) {}), "ok"},
		{"key withdrawn", func(t *testing.T, v *validator.Validator, iss *issuertest.Issuer, _ *directory) {
			iss.SetJWKS(published(t, map[string]string{"other": "ed25519-b"}), nil)
			refresh(t, v, iss)
		}, "key"},
		{"key replaced under its kid", func(t *testing.T, v *validator.Validator, iss *issuertest.Issuer, _ *directory) {
			iss.SetJWKS(published(t, map[string]string{kid: "ed25519-b"}), nil)
			refresh(t, v, iss)
		}, "signature"},
		{"key joined by another", func(t *testing.T, v *validator.Validator, iss *issuertest.Issuer, _ *directory) {
			iss.SetJWKS(published(t, map[string]string{kid: key, "other": "ed25519-b"}), nil)
			refresh(t, v, iss)
		}, "ok"},
		{"expired", func(*testing.T, *validator.Validator, *issuertest.Issuer, *directory) {
			elapse(time.Hour + 30*time.Second)
		}, "exp"},
		{"set aged", func(*testing.T, *validator.Validator, *issuertest.Issuer, *directory) { elapse(50 * time.Minute) }, "ok"},
		{"closed", func(_ *testing.T, v *validator.Validator, _ *issuertest.Issuer, _ *directory) { v.Close() }, "unavailable"},
	} {
		for _, entries := range []int{0, -1} {
			t.Run(tc.name+map[int]string{0: "", -1: ", without a cache"}[entries], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss := issuertest.NewInMemory(t)
					iss.SetJWKS(published(t, map[string]string{kid: key}), nil)
					release := make(chan struct{})
					d := newDirectory(holding(keysOf(iss), release))
					v := newResolving(t, d, func(c *validator.Config) { c.CacheEntries = entries })
					raw := byKey(iss, key, kid, goodClaims(iss, time.Now()))
					r := requests{t: t, verify: func() (*validator.Token, error) { return v.Verify(t.Context(), raw) }}
					r.begin("who verifies", tc.want)
					r.begin("who joined before", tc.want)
					tc.change(t, v, iss, d)
					r.begin("who came after", tc.want)
					close(release)
					r.pending.Wait()
					wantOutcome(t, tc.want)(v.Verify(t.Context(), raw))
				})
			})
		}
	}
}

// TestNewRulesDoNotWaitForOldOnes: what a verification by the old rules comes to,
// and when, is no answer to somebody who comes after the change.
func TestNewRulesDoNotWaitForOldOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		release := make(chan struct{})
		old := holding(keysOf(iss), release)
		held := old.Profile.App
		old.Profile.App = func(token *validator.Token) bool { return held(token) && false }
		d := newDirectory(old)
		v := newResolving(t, d)
		raw := iss.Token(issuertest.Claims{})
		r := requests{t: t, verify: func() (*validator.Token, error) { return v.Verify(t.Context(), raw) }}
		r.begin("before", "app")
		d.set(func(d *directory) { d.issuers[iss.URL()] = keysOf(iss) })
		v.ForgetIssuer(iss.URL())
		wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
		close(release)
		r.pending.Wait()
		wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
	})
}

// TestAnswersUnderWay is the same for tokens that an issuer is asked about: the
// answer has come, and is being judged by the old rules.
func TestAnswersUnderWay(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*validator.Validator, *issuertest.Issuer, *directory)
		want   string
	}{
		{"forgotten", func(v *validator.Validator, iss *issuertest.Issuer, d *directory) {
			d.set(func(d *directory) { delete(d.issuers, iss.URL()) })
			v.ForgetIssuer(iss.URL())
		}, "iss"},
		{"another client", func(v *validator.Validator, iss *issuertest.Issuer, d *directory) {
			d.set(func(d *directory) {
				now := answersOf(iss)
				now.Clients = []string{"somebody else"}
				d.issuers[iss.URL()] = now
			})
			v.ForgetIssuer(iss.URL())
		}, "client"},
		{"closed", func(v *validator.Validator, _ *issuertest.Issuer, _ *directory) { v.Close() }, "unavailable"},
	} {
		for name, fresh := range map[string]bool{"Verify": false, "VerifyFresh": true} {
			t.Run(tc.name+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss := issuertest.NewInMemory(t)
					release := make(chan struct{})
					d := newDirectory(holding(answersOf(iss), release))
					v := newResolving(t, d, func(c *validator.Config) {
						c.OpaqueIssuer = func(context.Context, string) string { return iss.URL() }
					})
					raw := iss.Opaque(issuertest.Claims{})
					r := requests{t: t, verify: func() (*validator.Token, error) {
						if fresh {
							return v.VerifyFresh(t.Context(), raw, 0)
						}
						return v.Verify(t.Context(), raw)
					}}
					r.begin("before", tc.want)
					tc.change(v, iss, d)
					close(release)
					r.pending.Wait()
					wantOutcome(t, tc.want)(r.verify())
				})
			})
		}
	}
}

// TestConfirmationsUnderWay changes the keys, or lets the token expire, while its
// issuer is asked about a JWT whose signature was good.
func TestConfirmationsUnderWay(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, v *validator.Validator, iss *issuertest.Issuer)
		want   string
	}{
		{"nothing", func(*testing.T, *validator.Validator, *issuertest.Issuer) {}, "ok"},
		{"key withdrawn", func(t *testing.T, v *validator.Validator, iss *issuertest.Issuer) {
			iss.Rotate()
			iss.Retire()
			wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
		}, "key"},
		{"expired", func(*testing.T, *validator.Validator, *issuertest.Issuer) { elapse(2 * time.Second) }, "exp"},
		{"closed", func(_ *testing.T, v *validator.Validator, _ *issuertest.Issuer) { v.Close() }, "unavailable"},
	} {
		for name, seen := range map[string]bool{"a first sight": false, "a token from the cache": true} {
			t.Run(tc.name+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss := issuertest.NewInMemory(t)
					v := newValidator(t, bothOf(iss), func(c *validator.Config) { c.ClockSkew = -1 })
					raw := iss.Token(issuertest.Claims{ExpiresIn: 2 * time.Second})
					if seen {
						wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
					}
					release := make(chan struct{})
					iss.SetFault(issuertest.Introspection, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
						select {
						case <-release:
							_, _ = w.Write([]byte(`{"active":true}`))
						case <-r.Context().Done():
						}
					})
					r := requests{t: t, verify: func() (*validator.Token, error) { return v.VerifyFresh(t.Context(), raw, 0) }}
					r.begin("before", tc.want)
					tc.change(t, v, iss)
					close(release)
					r.pending.Wait()
				})
			})
		}
	}
}
