package introspection_test

import (
	"context"
	"encoding/base64"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// signing makes client assertions with a given header, each another one.
func signing(header string) signerFunc {
	return func(string) (string, error) {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + time.Now().String() + ".sig", nil
	}
}

// tokenFunc is a TokenSource.
type tokenFunc func() string

func (f tokenFunc) AccessToken(context.Context) (string, error) { return f(), nil }

// ownAuth is a user's ClientAuth that says nothing of its credentials.
type ownAuth struct{}

func (ownAuth) Authenticate(_ context.Context, req *introspection.Request) error {
	req.Header.Set("X-Key", "k")
	return nil
}

// TestEvidenceBelongsToTheCredential: a control that was sent with the same
// credentials settles a refusal; where they are others, or nobody can tell, the
// token is asked about again after it.
func TestEvidenceBelongsToTheCredential(t *testing.T) {
	for name, test := range map[string]struct {
		auth  introspection.ClientAuth
		asked int
	}{
		"private_key_jwt with a kid":    {introspection.PrivateKeyJWT("api", signing(`{"alg":"ES256","kid":"1"}`)), 1},
		"private_key_jwt without a kid": {introspection.PrivateKeyJWT("api", signing(`{"alg":"ES256"}`)), 2},
		"a token of our own":            {introspection.BearerToken(tokenFunc(func() string { return "mine" })), 1},
		"a new token each time":         {introspection.BearerToken(tokenFunc(func() string { return time.Now().String() })), 2},
		"one of the user's own":         {ownAuth{}, 2},
		"client_secret_post":            {introspection.ClientSecretPost("api", introspection.Secret(secretText)), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(func(token string) answer {
					if token == "odd" {
						return answer{status: 404, after: 5 * time.Millisecond}
					}
					return answer{body: activeBody, after: 5 * time.Millisecond}
				})
				c := newClient(t, u, func(cfg *introspection.Config) { cfg.Auth = test.auth })
				know(t, c, "good", 2)
				if got := ask(t.Context(), c, "stranger", "odd"); got != "refused" && test.asked == 1 {
					t.Errorf("the token is %s", got)
				}
				if n := u.callsFor("odd"); n != test.asked {
					t.Errorf("asked %d times, want %d", n, test.asked)
				}
			})
		})
	}
}

// A pause that the server asked for about known tokens is its trouble: what was
// active is served for StaleIfError meanwhile.
func TestStaleServesWhileTheServerWantsAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeBody))
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.StaleIfError = time.Minute })
		know(t, c, "known", 3)
		elapse(31 * time.Second)
		u.become(func(string) answer { return slowDown(300) })
		for _, token := range []string{"known0", "known1"} {
			expect(t, c, token, "active")
		}
		before := u.calls()
		expect(t, c, "known2", "active")
		expect(t, c, "a new one", "unavailable")
		if u.calls() != before {
			t.Error("asked during the pause")
		}
		elapse(60 * time.Second)
		expect(t, c, "known2", "unavailable")
	})
}
