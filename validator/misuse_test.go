package validator_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// panics returns what f panics with, in words.
func panics(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return "no panic"
}

// TestNoToken: a handler that is not behind Require finds no token, and reading
// from what it found says so.
func TestNoToken(t *testing.T) {
	for name, token := range map[string]*validator.Token{"nil": validator.FromContext(t.Context()), "zero": new(validator.Token)} {
		t.Run(name, func(t *testing.T) { readNoToken(t, token) })
	}
}

func readNoToken(t *testing.T, token *validator.Token) {
	for name, read := range map[string]func(){
		"Issuer": func() { token.Issuer() }, "Subject": func() { token.Subject() }, "ClientID": func() { token.ClientID() },
		"ID": func() { token.ID() }, "Audience": func() { token.Audience() }, "Scopes": func() { token.Scopes() },
		"Roles": func() { token.Roles() }, "Tenant": func() { token.Tenant() }, "Expiry": func() { token.Expiry() },
		"IssuedAt": func() { token.IssuedAt() }, "SubjectIsClient": func() { validator.SubjectIsClient(token) },
	} {
		if text := panics(t, read); !strings.HasPrefix(text, "validator: there is no token here: the handler is not behind Require") {
			t.Errorf("%s: %s", name, text)
		}
	}
	err := token.Check(scopes.AnyToken())
	wantCheck(t, err, validator.ErrMissingToken, validator.CheckMissing)
	if !strings.Contains(err.Error(), "not behind Require") {
		t.Error(err)
	}
	if err := token.Claims(new(any)); err == nil || !strings.Contains(err.Error(), "not behind Require") {
		t.Error(err)
	}
	if text := fmt.Sprintf("%v %s", token, token.String()); !strings.HasSuffix(text, "no token") {
		t.Error(text)
	}
}

// TestValidatorThatNewDidNotMake answers like an outage, and says what it is.
func TestValidatorThatNewDidNotMake(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	for name, v := range map[string]*validator.Validator{"zero": new(validator.Validator), "nil": nil} {
		for call, ask := range map[string]func() error{
			"Verify":           func() error { _, err := v.Verify(t.Context(), "token"); return err },
			"Verify of none":   func() error { _, err := v.Verify(t.Context(), ""); return err },
			"VerifyFresh":      func() error { _, err := v.VerifyFresh(t.Context(), "token", time.Second); return err },
			"Ready":            func() error { return v.Ready(t.Context()) },
			"CanVerifyFresh":   func() error { return v.CanVerifyFresh() },
			"Verify, too long": func() error { _, err := v.Verify(t.Context(), strings.Repeat("x", 1<<21)); return err },
		} {
			if err := ask(); !errors.Is(err, validator.ErrUnavailable) || !strings.Contains(err.Error(), "not made by validator.New") {
				t.Errorf("%s, %s: %v", name, call, err)
			}
		}
		v.ReportRefusal(t.Context(), nil, nil, validator.NewError(validator.CheckMissing))
		v.ForgetIssuer("https://id.example.com")
		v.Close()
	}
	if !strings.Contains(log.String(), "not made by validator.New") {
		t.Errorf("nobody is told: %s", &log)
	}
}

type pointerResolver struct{ found validator.Issuer }

func (r *pointerResolver) ResolveIssuer(context.Context, string) (validator.Issuer, error) {
	return r.found, nil
}

type functionResolver func(string) validator.Issuer

func (r functionResolver) ResolveIssuer(_ context.Context, url string) (validator.Issuer, error) {
	return r(url), nil
}

type pointerAuth struct{ id string }

func (a *pointerAuth) Authenticate(_ context.Context, r *introspection.Request) error {
	r.Form.Set("client_id", a.id)
	return nil
}

type pointerSigner struct{ key string }

func (s *pointerSigner) SignAssertion(context.Context, string) (string, error) { return s.key, nil }

type pointerAnswers struct{ name string }

func (a *pointerAnswers) VerifyAnswer(context.Context, string) ([]byte, error) {
	return []byte(a.name), nil
}

// TestNilWithAType: a nil pointer in an interface is no nil, and its first call
// panics. New says so, and names the field.
func TestNilWithAType(t *testing.T) {
	asks := func(auth introspection.ClientAuth, answers introspection.AnswerVerifier) validator.Config {
		return validator.Config{Issuers: []validator.Issuer{{URL: "https://id.example.com", Audience: []string{"api"},
			Introspection: &introspection.Config{Endpoint: "https://id.example.com/introspect", Auth: auth, Answers: answers}}}}
	}
	for want, cfg := range map[string]validator.Config{
		"Config.Resolver is a nil *validator_test.pointerResolver": {Resolver: (*pointerResolver)(nil)},
		"Config.Resolver is a nil validator_test.functionResolver": {Resolver: functionResolver(nil)},
		"Config.Auth is a nil *validator_test.pointerAuth":         asks((*pointerAuth)(nil), nil),
		"Config.Auth has a nil AssertionSigner":                    asks(introspection.PrivateKeyJWT("api", (*pointerSigner)(nil)), nil),
		"Config.Answers is a nil *validator_test.pointerAnswers":   asks(&pointerAuth{}, (*pointerAnswers)(nil)),
	} {
		v, err := validator.New(cfg)
		if err == nil {
			v.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, wanted %s", err, want)
		}
	}
	if _, err := validator.NewAssertionSigner("api", (*ecdsa.PrivateKey)(nil), "", "ES256"); err == nil || !strings.Contains(err.Error(), "the key is nil") {
		t.Errorf("a nil key: %v", err)
	}
	for name, resolver := range map[string]validator.Resolver{"a pointer": &pointerResolver{}, "none": nil} {
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: "https://id.example.com", Audience: []string{"api"}}}, Resolver: resolver})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v.Close()
	}
}
