package adaptertest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// row is a request and what every adapter answers.
type row struct {
	name          string
	method        string // "" means GET
	target        string // "" means /orders
	form          string // body, if not ""
	authorization []string
	want          answer
}

// The answers that hold for more than one row.
var (
	unauthorized = refusal(401, `Bearer realm="api"`, "unauthorized", "No access token was sent.")
	badRequest   = refusal(400,
		`Bearer realm="api", error="invalid_request", error_description="The request must carry exactly one well-formed bearer token, in the Authorization header."`,
		"invalid_request", "The request must carry exactly one well-formed bearer token, in the Authorization header.")
	unavailable = answer{
		Status: 503, ContentType: "application/json", CacheControl: "no-store",
		Body: `{"error":"temporarily_unavailable","error_description":"The access token cannot be checked right now."}` + "\n",
	}
)

func refusal(status int, challenge, code, description string) answer {
	return answer{
		Status:       status,
		Challenges:   []string{challenge},
		ContentType:  "application/json",
		CacheControl: "no-store",
		Body:         `{"error":"` + code + `","error_description":"` + description + `"}` + "\n",
	}
}

func invalidToken(description string) answer {
	return refusal(401, `Bearer realm="api", error="invalid_token", error_description="`+description+`"`, "invalid_token", description)
}

// insufficientScope is the answer of a route that needs these scopes.
func insufficientScope(needs string) answer {
	const description = "The access token lacks a scope that this request needs."
	challenge := `Bearer realm="api", error="insufficient_scope", error_description="` + description + `"`
	if needs != "" {
		challenge += `, scope="` + needs + `"`
	}
	return refusal(403, challenge, "insufficient_scope", description)
}

func letIn(scopes string) answer {
	return answer{Status: 200, ContentType: "text/plain; charset=utf-8", Body: issuertest.ClientID + " may " + scopes}
}

func bearer(token string) []string { return []string{"Bearer " + token} }

// headerRows are about the header alone.
func headerRows(good string) []row {
	return []row{
		{name: "no header", want: unauthorized},
		{name: "empty header", authorization: []string{""}, want: unauthorized},
		{name: "another scheme", authorization: []string{"Basic dTpw"}, want: unauthorized},
		{name: "a scheme that begins like Bearer", authorization: []string{"BearerX " + good}, want: unauthorized},
		{name: "a token without a scheme", authorization: []string{good}, want: unauthorized},
		{name: "token in the query", target: "/orders?access_token=" + url.QueryEscape(good), want: unauthorized},
		{name: "token in a form body", method: "POST", form: "access_token=" + url.QueryEscape(good), want: unauthorized},
		{name: "no header on a route for nobody", target: "/nobody", want: unauthorized},

		{name: "lower-case scheme", authorization: []string{"bearer " + good}, want: letIn("orders:read")},
		{name: "upper-case scheme", authorization: []string{"BEARER " + good}, want: letIn("orders:read")},
		{name: "several spaces", authorization: []string{"Bearer   " + good}, want: letIn("orders:read")},

		{name: "scheme alone", authorization: []string{"Bearer"}, want: badRequest},
		{name: "repeated, the same", authorization: []string{"Bearer " + good, "Bearer " + good}, want: badRequest},
		{name: "repeated, two schemes", authorization: []string{"Bearer " + good, "Basic dTpw"}, want: badRequest},
		{name: "repeated, two other schemes", authorization: []string{"Basic dTpw", "Basic dTpw"}, want: badRequest},
		{name: "repeated, one empty", authorization: []string{"", "Bearer " + good}, want: badRequest},
		{name: "comma-joined", authorization: []string{"Bearer " + good + ", Bearer " + good}, want: badRequest},
		{name: "comma-joined without a space", authorization: []string{"Bearer " + good + ",Bearer"}, want: badRequest},
		{name: "a space in it", authorization: []string{"Bearer " + good + " x"}, want: badRequest},
		{name: "a tab for the space", authorization: []string{"Bearer\t" + good}, want: badRequest},
		{name: "a comma for the space", authorization: []string{"Bearer," + good}, want: badRequest},
		{name: "not ASCII", authorization: []string{"Bearer " + good + "é"}, want: badRequest},
		{name: "a parameter", authorization: []string{`Bearer token="` + good + `"`}, want: badRequest},
		{name: "padding inside", authorization: []string{"Bearer a=b"}, want: badRequest},
		{name: "padding alone", authorization: []string{"Bearer ="}, want: badRequest},
		{name: "malformed, on a route for nobody", target: "/nobody", authorization: []string{"Bearer a b"}, want: badRequest},
	}
}

// tokenRows are about good and bad tokens of either kind.
func tokenRows(iss *issuertest.Issuer, m mode) []row {
	read := issuertest.Claims{Scope: "orders:read"}
	good := m.token(iss, read)
	write := bearer(m.token(iss, issuertest.Claims{Scope: "orders:write"}))
	both := bearer(m.token(iss, issuertest.Claims{Scope: "orders:write orders:read"}))
	none := bearer(m.token(iss, issuertest.Claims{}))
	bad := func(kind issuertest.Bad) []string { return bearer(m.bad(iss, kind, read)) }
	return []row{
		{name: "good", authorization: bearer(good), want: letIn("orders:read")},
		{name: "good, again", authorization: bearer(good), want: letIn("orders:read")},
		{name: "good, POST", method: "POST", authorization: bearer(good), want: letIn("orders:read")},
		{name: "any token", target: "/any", authorization: none, want: letIn("")},
		{name: "one of two", target: "/either", authorization: bearer(good), want: letIn("orders:read")},
		{name: "group", target: "/group/read", authorization: bearer(good), want: letIn("orders:read")},
		{name: "group and route", target: "/group/write", authorization: both, want: letIn("orders:read orders:write")},

		{name: "wrong audience", authorization: bad(issuertest.WrongAudience), want: invalidToken("The access token is meant for another API.")},
		{name: "no audience", authorization: bad(issuertest.NoAudience), want: invalidToken("The access token does not name the API that it is meant for.")},
		{name: "unknown issuer", authorization: bad(issuertest.WrongIssuer), want: invalidToken("The access token is from an issuer that this API does not trust.")},
		{name: "sender-bound", authorization: bad(issuertest.SenderBound), want: invalidToken("The access token is bound to a sender and cannot be used as a bearer token.")},
		{name: "too large", authorization: bearer(strings.Repeat("a", validator.DefaultMaxTokenBytes+1)), want: invalidToken("The access token is too large.")},

		{name: "missing scope", authorization: write, want: insufficientScope("orders:read")},
		{name: "no scope", authorization: none, want: insufficientScope("orders:read")},
		{name: "one of two scopes missing", target: "/export", authorization: bearer(good), want: insufficientScope("orders:read orders:export")},
		{name: "neither of two", target: "/either", authorization: write, want: insufficientScope("orders:admin")},
		{name: "scope of the group missing", target: "/group/write", authorization: write, want: insufficientScope("orders:read")},
		{name: "scope of the route in a group missing", target: "/group/write", authorization: bearer(good), want: insufficientScope("orders:write")},
		{name: "zero rule", target: "/nobody", authorization: bearer(good), want: insufficientScope("")},
		{name: "rule of nothing", target: "/none", authorization: bearer(good), want: insufficientScope("")},
		{name: "expired, on a route for nobody", target: "/nobody", authorization: bad(issuertest.Expired), want: expired(m)},
		{name: "expired", authorization: bad(issuertest.Expired), want: expired(m)},
	}
}

// expired differs: of an opaque token only the issuer knows, and it says no more
// than that.
func expired(m mode) answer {
	if m.name == "opaque" {
		return invalidToken("The access token is not active.")
	}
	return invalidToken("The access token has expired.")
}

// ownRows are about tokens that exist in one mode alone.
func ownRows(iss *issuertest.Issuer, m mode) []row {
	read := issuertest.Claims{Scope: "orders:read"}
	if m.name == "opaque" {
		inactive := invalidToken("The access token is not active.")
		return []row{
			{name: "revoked", authorization: bearer(iss.BadOpaque(issuertest.Revoked, read)), want: inactive},
			{name: "never issued", authorization: bearer(iss.BadOpaque(issuertest.Unknown, read)), want: inactive},
			{name: "tampered", authorization: bearer("x" + iss.Opaque(read)), want: inactive},
		}
	}
	signature := invalidToken("The signature of the access token is not valid.")
	return []row{
		{name: "tampered", authorization: bearer(iss.Bad(issuertest.Tampered, read)), want: signature},
		{name: "other key", authorization: bearer(iss.Bad(issuertest.OtherKey, read)), want: signature},
		{name: "unknown key", authorization: bearer(iss.Bad(issuertest.UnknownKey, read)), want: invalidToken("The access token is signed with a key that its issuer does not publish.")},
		{name: "alg none", authorization: bearer(iss.Bad(issuertest.AlgNone, read)), want: invalidToken("The access token is signed with an algorithm that this API does not accept.")},
		{name: "opaque", authorization: bearer(iss.Opaque(read)), want: invalidToken("The access token is not of a kind that this API accepts.")},
	}
}

func TestConformance(t *testing.T) {
	for _, m := range modes {
		iss := issuertest.New(t)
		rows := headerRows(m.token(iss, issuertest.Claims{Scope: "orders:read"}))
		rows = append(rows, tokenRows(iss, m)...)
		rows = append(rows, ownRows(iss, m)...)
		for _, f := range frameworks {
			server := httptest.NewServer(f.api(newValidator(t, m.issuer(iss)), nil))
			t.Cleanup(server.Close)
			for _, r := range rows {
				t.Run(m.name+"/"+f.name+"/"+r.name, func(t *testing.T) { r.run(t, server) })
			}
		}
	}
}

func (r row) run(t *testing.T, server *httptest.Server) {
	method, target := r.method, r.target
	if method == "" {
		method = http.MethodGet
	}
	if target == "" {
		target = "/orders"
	}
	var body io.Reader
	if r.form != "" {
		body = strings.NewReader(r.form)
	}
	got, header := ask(t, server, method, target, body, r.authorization)
	if diff := cmp.Diff(r.want, got); diff != "" {
		t.Error(diff)
	}
	for _, challenge := range got.Challenges {
		if _, err := parseChallenge(challenge); err != nil {
			t.Errorf("challenge %q: %v", challenge, err)
		}
	}
	if header.Get("Retry-After") != "" {
		t.Errorf("Retry-After %q without a 503", header.Get("Retry-After"))
	}
	if r.form != "" || method != http.MethodGet {
		return
	}
	head, _ := ask(t, server, http.MethodHead, target, nil, r.authorization)
	if head.Status != r.want.Status || !cmp.Equal(head.Challenges, r.want.Challenges) || head.CacheControl != r.want.CacheControl || head.Body != "" {
		t.Errorf("HEAD: got %+v, wanted %+v without a body", head, r.want)
	}
}

// TestIssuerDown begins with the issuer down: nothing is known yet, and that
// says nothing about a token.
func TestIssuerDown(t *testing.T) {
	for _, m := range modes {
		for _, f := range frameworks {
			t.Run(m.name+"/"+f.name, func(t *testing.T) {
				iss := issuertest.New(t)
				for _, endpoint := range []issuertest.Endpoint{issuertest.Discovery, issuertest.JWKS, issuertest.Introspection} {
					iss.SetFault(endpoint, issuertest.Down())
				}
				server := httptest.NewServer(f.api(newValidator(t, m.issuer(iss)), nil))
				t.Cleanup(server.Close)
				token := bearer(m.token(iss, issuertest.Claims{Scope: "orders:read"}))
				got, header := ask(t, server, http.MethodGet, "/orders", nil, token)
				if diff := cmp.Diff(unavailable, got); diff != "" {
					t.Error(diff)
				}
				if seconds, err := strconv.Atoi(header.Get("Retry-After")); err != nil || seconds < 1 {
					t.Errorf("Retry-After %q, wanted whole seconds, at least one", header.Get("Retry-After"))
				}
				// What needs no issuer is answered as ever.
				for _, r := range []row{
					{authorization: nil, want: unauthorized},
					{authorization: []string{"Bearer a b"}, want: badRequest},
				} {
					r.run(t, server)
				}
			})
		}
	}
}
