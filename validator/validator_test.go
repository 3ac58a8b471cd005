package validator_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// newJWT is a validator of iss's JWTs.
func newJWT(t testing.TB, iss *issuertest.Issuer, change ...func(*validator.Config)) *validator.Validator {
	t.Helper()
	return newValidator(t, validator.Issuer{
		URL:      iss.URL(),
		Audience: []string{issuertest.Audience},
		Keys:     &jwks.Config{HTTPClient: iss.Client()},
	}, change...)
}

// newOpaque is a validator that introspects every token at iss.
func newOpaque(t testing.TB, iss *issuertest.Issuer, change ...func(*validator.Config)) *validator.Validator {
	t.Helper()
	return newValidator(t, validator.Issuer{
		URL:           iss.URL(),
		Audience:      []string{issuertest.Audience},
		Introspection: introspectionAt(iss),
	}, change...)
}

func introspectionAt(iss *issuertest.Issuer) *introspection.Config {
	return &introspection.Config{
		Endpoint:   iss.IntrospectionURL(),
		Auth:       introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret)),
		HTTPClient: iss.Client(),
	}
}

func newValidator(t testing.TB, iss validator.Issuer, change ...func(*validator.Config)) *validator.Validator {
	t.Helper()
	cfg := validator.Config{Issuers: []validator.Issuer{iss}}
	for _, c := range change {
		c(&cfg)
	}
	v, err := validator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// outcome is "ok", or the check that failed, for tables.
func outcome(_ *validator.Token, err error) string {
	if err == nil {
		return "ok"
	}
	e, ok := errors.AsType[*validator.Error](err)
	if !ok {
		return "not a *validator.Error: " + err.Error()
	}
	return string(e.Check())
}

// wantOutcome fails unless a Verify, whose results it is given, ended so.
func wantOutcome(t testing.TB, want string) func(*validator.Token, error) {
	return func(token *validator.Token, err error) {
		t.Helper()
		if got := outcome(token, err); got != want {
			t.Errorf("got %s (%v), wanted %s", got, err, want)
		}
	}
}

// wantRequests fails unless an endpoint was asked that often.
func wantRequests(t testing.TB, iss *issuertest.Issuer, e issuertest.Endpoint, want int) {
	t.Helper()
	if got := iss.Requests(e); got != want {
		t.Errorf("%v: %d requests, wanted %d", e, got, want)
	}
}

// elapse lets fake time pass in a synctest bubble.
func elapse(d time.Duration) { <-time.After(d) }

// eventually asks for a condition every millisecond of real time.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// clock is a Config.Now that stands still until it is set.
type clock struct{ now atomic.Pointer[time.Time] }

func newClock(now time.Time) *clock {
	c := new(clock)
	c.set(now)
	return c
}

func (c *clock) set(now time.Time) { c.now.Store(&now) }
func (c *clock) Now() time.Time    { return *c.now.Load() }

// events collects what an observer is told.
type events struct {
	mu  sync.Mutex
	all []observe.Event
	// requests are those in whose context it was told, for who gives them an id.
	requests []string
}

func (e *events) observe(ctx context.Context, event *observe.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, *event)
	if id, known := ctx.Value(requestID{}).(string); known {
		e.requests = append(e.requests, id)
	}
}

func (e *events) of(kind observe.Kind) []observe.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.all), func(event observe.Event) bool { return event.Kind != kind })
}

// object is a JSON object; nil values are left out.
func object(members map[string]any) []byte {
	present := make(map[string]any, len(members))
	for name, value := range members {
		if value != nil {
			present[name] = value
		}
	}
	text, err := json.Marshal(present)
	if err != nil {
		panic(err)
	}
	return text
}

// goodClaims are the claims of a good token of iss, for a test to change. They
// hold what RFC 9068 §2.2 asks for.
func goodClaims(iss *issuertest.Issuer, now time.Time) map[string]any {
	return map[string]any{
		"iss": iss.URL(), "sub": "svc", "client_id": "svc", "aud": issuertest.Audience, "jti": "1",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "scope": "orders:read",
	}
}

// signed is a token of iss with exactly these claims, in a header that is good.
func signed(iss *issuertest.Issuer, claims map[string]any) string {
	header := map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA"), "typ": "at+jwt"}
	return iss.Sign(object(header), object(claims), "EdDSA")
}

// with is a token of iss with the claims of a good one, changed; nil takes one away.
func with(iss *issuertest.Issuer, changes map[string]any) string {
	claims := goodClaims(iss, time.Now())
	for name, value := range changes {
		claims[name] = value
	}
	return signed(iss, claims)
}

// wantCheck fails unless err is of kind and names check.
func wantCheck(t testing.TB, err error, kind error, check validator.Check) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error %v, wanted %v", err, kind)
		return
	}
	if e, ok := errors.AsType[*validator.Error](err); !ok || e.Check() != check {
		t.Errorf("error %v, wanted check %q", err, check)
	}
}

func TestVerifyJWT(t *testing.T) {
	iss := issuertest.New(t)
	v := newJWT(t, iss)
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		raw := iss.Token(issuertest.Claims{Algorithm: alg, Scope: "orders:write orders:read", Subject: "svc", ClientID: "svc"})
		for _, when := range []string{"first", "again"} {
			tok, err := v.Verify(t.Context(), raw)
			if err != nil {
				t.Fatalf("%s, %s: %v", alg, when, err)
			}
			if tok.Issuer() != iss.URL() || tok.Subject() != "svc" || tok.ClientID() != "svc" ||
				tok.Scopes().String() != "orders:read orders:write" || tok.Audience()[0] != issuertest.Audience ||
				time.Until(tok.Expiry()) < 50*time.Minute || tok.ID() == "" {
				t.Errorf("%s, %s: %v %v", alg, when, tok, tok.Scopes())
			}
		}
	}
	if n := iss.Requests(issuertest.JWKS); n != 1 {
		t.Errorf("%d JWKS fetches, wanted 1", n)
	}
}

func TestVerifyRefusesBadJWTs(t *testing.T) {
	iss := issuertest.New(t)
	want := map[issuertest.Bad]validator.Check{
		issuertest.Expired:       validator.CheckExpiry,
		issuertest.NotYetValid:   validator.CheckNotBefore,
		issuertest.WrongAudience: validator.CheckAudience,
		issuertest.WrongIssuer:   validator.CheckIssuer,
		issuertest.Tampered:      validator.CheckSignature,
		issuertest.OtherKey:      validator.CheckSignature,
		issuertest.AlgNone:       validator.CheckAlgorithm,
		issuertest.AlgHS256:      validator.CheckAlgorithm,
		issuertest.UnknownKey:    validator.CheckKey,
		issuertest.NoExpiry:      validator.CheckExpiry,
		issuertest.NoAudience:    validator.CheckAudience,
		issuertest.SenderBound:   validator.CheckBinding,
		issuertest.Malformed:     validator.CheckJSON,
	}
	v := newJWT(t, iss)
	for _, bad := range issuertest.Bads() {
		t.Run(bad.String(), func(t *testing.T) {
			_, err := v.Verify(t.Context(), iss.Bad(bad, issuertest.Claims{}))
			wantCheck(t, err, validator.ErrInvalidToken, want[bad])
		})
	}
}

func TestVerifyOpaque(t *testing.T) {
	iss := issuertest.New(t)
	v := newOpaque(t, iss)
	raw := iss.Opaque(issuertest.Claims{Scope: "orders:read"})
	for range 3 {
		tok, err := v.Verify(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		if tok.Issuer() != iss.URL() || tok.ClientID() != issuertest.ClientID || tok.Scopes().String() != "orders:read" {
			t.Errorf("%v %v", tok, tok.Scopes())
		}
	}
	if n := iss.Requests(issuertest.Introspection); n != 1 {
		t.Errorf("%d introspection calls, wanted 1", n)
	}
	if n := iss.Requests(issuertest.JWKS); n != 0 {
		t.Errorf("%d JWKS fetches, wanted none", n)
	}
}

func TestVerifyRefusesBadOpaqueTokens(t *testing.T) {
	iss := issuertest.New(t)
	want := map[issuertest.Bad]validator.Check{
		issuertest.Expired:       validator.CheckActive,
		issuertest.NotYetValid:   validator.CheckActive,
		issuertest.Revoked:       validator.CheckActive,
		issuertest.Unknown:       validator.CheckActive,
		issuertest.WrongAudience: validator.CheckAudience,
		issuertest.NoAudience:    validator.CheckAudience,
		issuertest.WrongIssuer:   validator.CheckIssuer,
		issuertest.SenderBound:   validator.CheckBinding,
	}
	v := newOpaque(t, iss)
	for _, bad := range issuertest.OpaqueBads() {
		t.Run(bad.String(), func(t *testing.T) {
			_, err := v.Verify(t.Context(), iss.BadOpaque(bad, issuertest.Claims{}))
			wantCheck(t, err, validator.ErrInvalidToken, want[bad])
		})
	}
}
