package introspection_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/introspection"
)

func TestRequestOnTheWire(t *testing.T) {
	const id, secret = "api:1", "p@ss word/+ü"
	for _, test := range []struct {
		name  string
		auth  introspection.ClientAuth
		basic string
		form  url.Values
	}{
		{
			name:  "client_secret_basic",
			auth:  introspection.ClientSecretBasic(id, introspection.Secret(secret)),
			basic: "api%3A1:p%40ss+word%2F%2B%C3%BC",
			form:  url.Values{"token": {"to+k en"}, "token_type_hint": {"access_token"}},
		},
		{
			name: "client_secret_post",
			auth: introspection.ClientSecretPost(id, introspection.Secret(secret)),
			form: url.Values{"token": {"to+k en"}, "token_type_hint": {"access_token"}, "client_id": {id}, "client_secret": {secret}},
		},
		{
			name: "a method of the user's",
			auth: authFunc(func(_ context.Context, req *introspection.Request) error {
				req.Form.Set("client_assertion", "signed for "+req.Endpoint[strings.LastIndex(req.Endpoint, "/"):])
				return nil
			}),
			form: url.Values{"token": {"to+k en"}, "token_type_hint": {"access_token"}, "client_assertion": {"signed for /introspect"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := overSocket(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.RawQuery != "" {
					t.Errorf("request is %s %s, want a POST without a query", r.Method, r.URL)
				}
				if got := r.Header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
					t.Errorf("content type is %q", got)
				}
				if got := r.Header.Get("Accept"); got != jsonType {
					t.Errorf("Accept is %q", got)
				}
				want := ""
				if test.basic != "" {
					want = "Basic " + base64.StdEncoding.EncodeToString([]byte(test.basic))
				}
				if got := r.Header.Get("Authorization"); got != want {
					t.Errorf("Authorization is %q, want %q", got, want)
				}
				body, _ := io.ReadAll(r.Body)
				form, err := url.ParseQuery(string(body))
				if diff := cmp.Diff(test.form, form); diff != "" || err != nil {
					t.Errorf("form (-want +got), %v:\n%s", err, diff)
				}
				io.WriteString(w, activeBody)
			}, func(cfg *introspection.Config) { cfg.Auth = test.auth })
			expect(t, c, "to+k en", "active")
		})
	}
}

type authFunc func(context.Context, *introspection.Request) error

func (f authFunc) Authenticate(ctx context.Context, req *introspection.Request) error {
	return f(ctx, req)
}

// checksSecret is an endpoint that takes one secret at a time.
func checksSecret(valid *atomic.Value, refuse http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != valid.Load() {
			refuse(w, r)
			return
		}
		io.WriteString(w, activeBody)
	}
}

func current(secret *atomic.Value) introspection.SecretFunc {
	return func(context.Context) (string, error) { return secret.Load().(string), nil }
}

func TestSecretRotates(t *testing.T) {
	for name, refuse := range map[string]http.HandlerFunc{
		"401":                reply(401, jsonType, `{"error":"invalid_client"}`),
		"401 empty":          reply(401, "", ""),
		"400 invalid_client": reply(400, jsonType, `{"error":"invalid_client"}`),
	} {
		t.Run(name, func(t *testing.T) {
			var valid, held atomic.Value
			valid.Store("one")
			held.Store("one")
			c := overSocket(t, checksSecret(&valid, func(w http.ResponseWriter, r *http.Request) {
				held.Store(valid.Load()) // the new secret arrives while the old one is refused
				refuse(w, r)
			}), func(cfg *introspection.Config) {
				cfg.Auth = introspection.ClientSecretBasic("api", current(&held))
			})
			expect(t, c, "a", "active")
			valid.Store("two")
			expect(t, c, "b", "active")
		})
	}
}

// The secret changes while a round of requests is under way: all are refused,
// and all succeed with the new secret.
func TestSecretRotatesUnderLoad(t *testing.T) {
	const callers, rounds = 8, 5
	var secret atomic.Value
	secret.Store("round-0")
	var arrived atomic.Int64
	rotated := make([]chan struct{}, rounds)
	for i := range rotated {
		rotated[i] = make(chan struct{})
	}
	c := overSocket(t, func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		if password == "renewed" {
			io.WriteString(w, activeBody)
			return
		}
		number, err := strconv.Atoi(strings.TrimPrefix(password, "round-"))
		if err != nil {
			t.Errorf("the secret is %q", password)
		}
		if arrived.Add(1)%callers == 0 {
			secret.Store("renewed")
			close(rotated[number])
		}
		<-rotated[number]
		w.WriteHeader(http.StatusUnauthorized)
	}, func(cfg *introspection.Config) {
		cfg.Auth = introspection.ClientSecretBasic("api", current(&secret))
	})
	for round := range rounds {
		secret.Store("round-" + strconv.Itoa(round))
		var asking sync.WaitGroup
		for caller := range callers {
			asking.Go(func() {
				if r, err := c.Introspect(t.Context(), tokenNumber(callers*round+caller)); verdict(r, err) != "active" {
					t.Errorf("round %d, caller %d: %s (%v)", round, caller, verdict(r, err), err)
				}
			})
		}
		asking.Wait()
	}
}

func TestWrongSecretIsTriedOnce(t *testing.T) {
	u := newUpstream(func(string) answer { return answer{status: 401} })
	c := newClient(t, u, nil)
	expect(t, c, "token", "unavailable")
	if u.calls() != 1 {
		t.Errorf("asked %d times with one and the same secret, want 1", u.calls())
	}
	always := 0
	c = newClient(t, u, func(cfg *introspection.Config) {
		cfg.Auth = introspection.ClientSecretPost("api", func(context.Context) (string, error) {
			always++
			return tokenNumber(always), nil
		})
	})
	expect(t, c, "token", "unavailable")
	if u.calls() != 3 {
		t.Errorf("asked %d times in all, want one retry with another secret", u.calls())
	}
}

func TestSecretThatCannotBeHad(t *testing.T) {
	errVault := errors.New("vault sealed")
	for name, secret := range map[string]introspection.SecretFunc{
		"fails":  func(context.Context) (string, error) { return "", errVault },
		"empty":  func(context.Context) (string, error) { return "", nil },
		"a file": func(context.Context) (string, error) { return secretText + "\n", nil },
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(always(activeBody))
			c := newClient(t, u, func(cfg *introspection.Config) {
				cfg.Auth = introspection.ClientSecretBasic("api", secret)
			})
			_, err := c.Introspect(t.Context(), "token")
			failure(t, err)
			if name == "fails" && !errors.Is(err, errVault) {
				t.Errorf("error is %v, want it to wrap the SecretFunc's", err)
			}
			if u.calls() != 0 {
				t.Error("asked without credentials")
			}
		})
	}
}

// An answer to the retry was asked for with the retry.
func TestAskedAtIsTheRetrys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var secret atomic.Value
		secret.Store("old")
		u := newUpstream(nil)
		u.become(func(string) answer {
			if secret.Swap("new") == "old" {
				return answer{status: 401, after: 2 * time.Second}
			}
			return answer{body: activeBody}
		})
		c := newClient(t, u, func(cfg *introspection.Config) {
			cfg.Auth = introspection.ClientSecretPost("api", current(&secret))
		})
		start := time.Now()
		r := expect(t, c, "token", "active")
		if got := r.AskedAt().Sub(start); got != 2*time.Second {
			t.Errorf("asked after %v, want 2s", got)
		}
	})
}

// The SecretFunc works on the request's time, not on any caller's.
func TestSecretFuncEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, newUpstream(always(activeBody)), func(cfg *introspection.Config) {
			cfg.Auth = introspection.ClientSecretBasic("api", func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			})
		})
		_, err := c.Introspect(t.Context(), "token")
		if failure(t, err); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v, want the request's time-out", err)
		}
	})
}

// A secret that cannot be any client's is never sent, whoever asks for it.
func TestSecretsThatAreNone(t *testing.T) {
	for _, text := range []string{"", " ", "\n", "s3cret-s3cret\n", "s3cret\x00s3cret"} {
		secret, err := introspection.Secret(text)(t.Context())
		if secret != "" || err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q gives %q, %v", text, secret, err)
		}
	}
	for _, text := range []string{"s3cret", "größe/+=&%", "a b"} {
		if secret, err := introspection.Secret(text)(t.Context()); secret != text || err != nil {
			t.Errorf("%q gives %q, %v", text, secret, err)
		}
	}
}
