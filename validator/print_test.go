package validator_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const private = "s3cr3t-s3cr3t"

// forms are a secret as printing could show it.
func forms(secret string) []string {
	numbers := strings.Trim(fmt.Sprint([]byte(secret)), "[]")
	return []string{
		secret,
		fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("% x", secret),
		numbers, strings.ReplaceAll(numbers, " ", ","), strings.ReplaceAll(numbers, " ", ", "),
		strings.Trim(fmt.Sprintf("%#v", []byte(secret)), "[]byte{}"),
		strings.Trim(fmt.Sprintf("%q", []rune(secret)), "[]"),
	}
}

// printed is x as careless code would write it down.
func printed(x any) map[string]string {
	out := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%t", "%c", "%U", "%T %v", "%10.3v", "%w"} {
		out[verb] = fmt.Sprintf(verb, x)
	}
	out["Println"] = fmt.Sprintln(x)
	if text, err := json.Marshal(x); err == nil {
		out["JSON"] = string(text)
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog as JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		"slog as text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("x", "token", x, slog.Any("again", x))
		out[name] = b.String()
	}
	return out
}

// TestPrintingShowsNoClaim prints what a handler or an operator may have in hand,
// whole, by reference, and within something of their own.
func TestPrintingShowsNoClaim(t *testing.T) {
	auth := introspection.ClientSecretBasic("api", introspection.Secret(private))
	asked := introspection.Config{Endpoint: "https://id.example.com/introspect", Auth: auth}
	iss := validator.Issuer{URL: "https://id.example.com", Audience: []string{"api"}, Introspection: &asked}
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	token, err := validator.DangerouslyUnverified([]byte(`{"iss":"https://id.example.com","client_id":"reports","name":"`+private+`","sub":"`+private+`","aud":"`+private+`","roles":["`+private+`"],"jti":"`+private+`"}`), validator.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	type session struct {
		Token *validator.Token
		Copy  validator.Token
	}
	type hidden struct { // fmt calls no methods on these
		token *validator.Token
		copy  validator.Token
	}
	for name, x := range map[string]any{
		"a token": token, "a token by value": *token, "tokens": []*validator.Token{token}, "tokens by value": []validator.Token{*token},
		"a map": map[string]validator.Token{"t": *token}, "a struct": session{token, *token}, "a pointer to one": &session{token, *token}, "an interface": []any{*token},
		"hidden fields": hidden{token, *token}, "a pointer to them": &hidden{token, *token},
		"an Auth": auth, "an introspection.Config": asked, "an Issuer": iss, "a Validator": v,
	} {
		for how, text := range printed(x) {
			for _, form := range forms(private) {
				if strings.Contains(text, form) {
					t.Errorf("%s printed with %s shows %s: %.300s", name, how, form, text)
				}
			}
		}
	}
}

// TestPrintingAnErrorIsItsText: whatever the verb is, and however it is wrapped, no
// value from a token is shown beyond what Error shows of it.
func TestPrintingAnErrorIsItsText(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	claims := goodClaims(iss, time.Now())
	claims["aud"] = strings.Repeat(private, 900)
	_, err := newMany(t, keysOf(iss)).Verify(t.Context(), signed(iss, claims))
	wantOutcome(t, "aud")(nil, err)
	for name, x := range map[string]any{"an error": err, "a list": []error{err}, "a map": map[string]any{"err": err}} {
		for how, text := range printed(x) {
			if how != "%w" && len(text) > 3000 { // outside fmt.Errorf that is no verb, and fmt calls no method then
				t.Errorf("%s printed with %s has %d bytes: %.100s", name, how, len(text), text)
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x", "%s", "%20.3q"} {
		if text := fmt.Sprintf(verb, err); text != err.Error() {
			t.Errorf("%s prints %.200s, wanted %s", verb, text, err)
		}
	}
	var e *validator.Error
	if wrapped := fmt.Errorf("here: %w", err); !errors.Is(wrapped, validator.ErrInvalidToken) || !errors.As(wrapped, &e) || wrapped.Error() != "here: "+err.Error() {
		t.Errorf("%v is no longer the error that it wraps", wrapped)
	}
	var none *validator.Error
	if text := fmt.Sprintf("%v", none); text != "<nil>" {
		t.Errorf("no error is printed as %s", text)
	}
}

// TestPrintingARequestShowsNoToken, however it is printed.
func TestPrintingARequestShowsNoToken(t *testing.T) {
	r := validator.Request{Token: private, Proofs: []string{private}, Certificate: []byte(private), CertificateErr: errors.New(private), Source: "192.0.2.1\n\u202e" + strings.Repeat("x", 9000)}
	type holder struct{ Request *validator.Request }
	for name, x := range map[string]any{"by reference": &r, "by value": r, "a list": []validator.Request{r}, "a struct": holder{&r}, "a map": map[string]*validator.Request{"r": &r}} {
		for how, text := range printed(x) {
			for _, form := range forms(private) {
				if how != "%w" && strings.Contains(text, form) {
					t.Errorf("%s printed with %s shows the token: %.300s", name, how, text)
				}
			}
		}
	}
	if text := r.String(); !strings.HasPrefix(text, `request with a token from "192.0.2.1\n\u202exxx`) || len(text) > 400 {
		t.Error(text)
	}
	if text := (&validator.Request{}).String(); text != `request without a token from ""` {
		t.Error(text)
	}
}

// TestHostileValuesInATokensAttributes: a good token's claims are its client's and
// issuer's to choose, and break out of no log.
func TestHostileValuesInATokensAttributes(t *testing.T) {
	hostile := "evil\n\x1b[2J\u202e\u2028é" + strings.Repeat("y", 9000)
	token, err := validator.DangerouslyUnverified(object(map[string]any{"iss": hostile, "client_id": hostile, "scope": distinctScopes(3000)}), validator.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	for how, text := range printed(token) {
		text = strings.TrimSuffix(text, "\n")
		if len(text) > 3500 || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("%s prints %d bytes: %.300q", how, len(text), text)
		}
	}
}

// TestTokenInLogs: what log/slog writes of a token is what an operator looks for.
func TestTokenInLogs(t *testing.T) {
	token, err := validator.DangerouslyUnverified([]byte(`{"iss":"https://id.example.com","client_id":"reports","scope":"orders:write orders:read","exp":1772366400,"name":"`+private+`"}`), validator.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"issuer": "https://id.example.com", "client": "reports", "scopes": "orders:read orders:write", "expiry": time.Unix(1772366400, 0).Format(time.RFC3339)}
	for name, x := range map[string]any{"by reference": token, "by value": *token} {
		var b bytes.Buffer
		slog.New(slog.NewJSONHandler(&b, nil)).Info("let in", slog.Any("token", x))
		var line struct {
			Token map[string]any `json:"token"`
		}
		if err := json.Unmarshal(b.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(line.Token) != fmt.Sprint(want) {
			t.Errorf("%s: %v, wanted %v", name, line.Token, want)
		}
	}
}
