package httpauth_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// checks lists the constants of type validator.Check, from its source.
func checks(t *testing.T) (all []validator.Check) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../validator/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Check") {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, validator.Check(value))
		return true
	})
	return all
}

// TestDescriptions: each check's sentence may stand in a challenge and in JSON
// without escapes (RFC 6750 §3), in every encoder, and ends like one.
func TestDescriptions(t *testing.T) {
	all := checks(t)
	if len(all) < 20 {
		t.Fatalf("only %d checks found", len(all))
	}
	safe := regexp.MustCompile(`^[A-Z][ !#-%'-;=?-\[\]-~]+\.$`) // not " & < > \
	for _, check := range all {
		if text := validator.NewError(check).Description(); !safe.MatchString(text) {
			t.Errorf("%s: %q", check, text)
		}
	}
	source, err := os.ReadFile("../../validator/flaw.go")
	if err != nil {
		t.Fatal(err)
	}
	finer := regexp.MustCompile(`\{Err\w+, "([^"]*)"`).FindAllSubmatch(source, -1)
	if len(finer) < 10 {
		t.Fatalf("only %d finer sentences found", len(finer))
	}
	for _, sentence := range finer {
		if !safe.Match(sentence[1]) {
			t.Errorf("%q", sentence[1])
		}
	}
}

// TestDefaults: a nil Config is the zero one, and its realm is DefaultRealm.
func TestDefaults(t *testing.T) {
	v := newValidator(t, issuertest.New(t))
	for _, cfg := range []*httpauth.Config{nil, {}} {
		_, failure := httpauth.New(v, cfg).Compile(httpauth.Gate{Rule: scopes.AnyToken()}).Admit(http.Header{}, httptest.NewRequest(http.MethodGet, "/", nil), "")
		if want := `Bearer realm="` + httpauth.DefaultRealm + `"`; failure.Challenge != want {
			t.Errorf("challenge %q, wanted %q", failure.Challenge, want)
		}
	}
}

// TestRetryAfter: whole seconds, rounded up.
func TestRetryAfter(t *testing.T) {
	iss := issuertest.New(t)
	iss.SetFault(issuertest.Discovery, issuertest.Down())
	route := httpauth.New(newValidator(t, iss), nil).Compile(httpauth.Gate{Rule: scopes.AnyToken()})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{}))
	_, failure := route.Admit(http.Header{}, r, "")
	if failure == nil {
		t.Fatal("no failure")
	}
	if asked := failure.Err.RetryAfter(); failure.RetryAfter < asked || failure.RetryAfter-asked >= 1e9 || failure.RetryAfter%1e9 != 0 {
		t.Errorf("%v for %v", failure.RetryAfter, asked)
	}
	w := httptest.NewRecorder()
	failure.Respond(w)
	if got, want := w.Header().Get("Retry-After"), strconv.Itoa(int(failure.RetryAfter/1e9)); got != want {
		t.Errorf("Retry-After %q, wanted %q", got, want)
	}
}

// TestAdmitWritesNothing: Admit decides, and leaves the request as it was.
func TestAdmitWritesNothing(t *testing.T) {
	iss := issuertest.New(t)
	route := httpauth.New(newValidator(t, iss), nil).Compile(httpauth.Gate{Rule: scopes.AnyToken()})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{}))
	got, failure := route.Admit(http.Header{}, r, "")
	if failure != nil || got == nil {
		t.Fatalf("refused: %v", failure.Err)
	}
	if validator.FromContext(r.Context()) != nil {
		t.Error("the request's context has changed")
	}
}

func newValidator(t testing.TB, iss *issuertest.Issuer) *validator.Validator {
	t.Helper()
	v, err := validator.New(validator.Config{
		Issuers:  []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		Observer: observe.Observer{Event: func(context.Context, *observe.Event) {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}
