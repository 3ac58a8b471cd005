package adaptertest_test

import (
	"cmp"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// row is a request and what every adapter answers.
type row struct {
	name          string
	method        string // "" means GET
	target        string // below the path of a gate; "" means /orders
	form          string // body, if not ""
	authorization []string
	want          answer // of Require
	holds         string // scopes of the good token that want refuses
}

// at is what a gate answers where Require answers as the row wants.
func (r row) at(gate string) answer {
	switch {
	case gate == "/bound" && (r.want.Status == 200 || r.want.Status == 403):
		return bound
	case gate == "/optional" && r.authorization == nil, gate == "/report" && r.want.Status != 200 && r.want.Status != 403:
		return passed("nobody")
	case gate == "/report" && r.want.Status == 403:
		return letIn(r.holds)
	}
	return r.want
}

// The answers that hold for more than one row.
var (
	unauthorized = refusal(401, `Bearer realm="api"`, "unauthorized", "No access token was sent.")
	badRequest   = refusal(400,
		`Bearer realm="api", error="invalid_request", error_description="The request must carry exactly one well-formed bearer token, in the Authorization header."`,
		"invalid_request", "The request must carry exactly one well-formed bearer token, in the Authorization header.")
	tooLarge = invalidToken("The access token is too large.")
	tooMany  = answer{
		Status: 429, ContentType: "application/json", CacheControl: "no-store",
		Body: `{"error":"too_many_requests","error_description":"Too many access tokens of this caller wait to be checked."}` + "\n",
	}
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
		{name: "no header, group", target: "/group/read", want: unauthorized},
		{name: "no header, group and route", target: "/group/write", want: unauthorized},

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
		{name: "too large", authorization: bearer(strings.Repeat("a", validator.DefaultMaxTokenBytes+1)), want: tooLarge},

		{name: "missing scope", authorization: write, want: insufficientScope("orders:read"), holds: "orders:write"},
		{name: "no scope", authorization: none, want: insufficientScope("orders:read")},
		{name: "one of two scopes missing", target: "/export", authorization: bearer(good), want: insufficientScope("orders:read orders:export"), holds: "orders:read"},
		{name: "neither of two", target: "/either", authorization: write, want: insufficientScope("orders:admin"), holds: "orders:write"},
		{name: "scope of the group missing", target: "/group/write", authorization: write, want: insufficientScope("orders:read"), holds: "orders:write"},
		{name: "scope of the route in a group missing", target: "/group/write", authorization: bearer(good), want: insufficientScope("orders:write"), holds: "orders:read"},
		{name: "zero rule", target: "/nobody", authorization: bearer(good), want: insufficientScope(""), holds: "orders:read"},
		{name: "rule of nothing", target: "/none", authorization: bearer(good), want: insufficientScope(""), holds: "orders:read"},
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
	opaque := invalidToken("The access token is not of a kind that this API accepts.")
	if m.name != "JWT" { // of which its issuer knows
		opaque = letIn("orders:read")
	}
	signature := invalidToken("The signature of the access token is not valid.")
	return []row{
		{name: "tampered", authorization: bearer(iss.Bad(issuertest.Tampered, read)), want: signature},
		{name: "other key", authorization: bearer(iss.Bad(issuertest.OtherKey, read)), want: signature},
		{name: "unknown key", authorization: bearer(iss.Bad(issuertest.UnknownKey, read)), want: invalidToken("The access token is signed with a key that its issuer does not publish.")},
		{name: "alg none", authorization: bearer(iss.Bad(issuertest.AlgNone, read)), want: invalidToken("The access token is signed with an algorithm that this API does not accept.")},
		{name: "opaque", authorization: bearer(iss.Opaque(read)), want: opaque},
	}
}

// TestConformance: each gate answers what it must, and the same in each framework,
// every field of the header included.
func TestConformance(t *testing.T) {
	for _, m := range modes {
		iss := issuertest.New(t)
		rows := headerRows(m.token(iss, issuertest.Claims{Scope: "orders:read"}))
		rows = append(rows, tokenRows(iss, m)...)
		rows = append(rows, ownRows(iss, m)...)
		first := make(map[string]http.Header) // by gate and row, of the first framework
		for _, f := range frameworks {
			v := newValidator(t, m.issuer(iss))
			server := httptest.NewServer(f.api(v, nil, serve))
			t.Cleanup(server.Close)
			for _, gate := range gatePaths {
				if gate == "/fresh" && v.CanVerifyFresh() != nil {
					continue
				}
				for _, r := range rows {
					t.Run(m.name+"/"+f.name+gate+"/"+r.name, func(t *testing.T) {
						header := r.run(t, server, gate)
						header.Del("Date")
						key := gate + r.name
						if first[key] == nil {
							first[key] = header
						}
						if diff := gocmp.Diff(first[key], header); diff != "" {
							t.Errorf("another header than in %s: %s", frameworks[0].name, diff)
						}
					})
				}
			}
		}
	}
}

// run asks a gate, and returns the header that it answers with.
func (r row) run(t *testing.T, server *httptest.Server, gate string) http.Header {
	t.Helper()
	method, target := cmp.Or(r.method, http.MethodGet), gate+cmp.Or(r.target, "/orders")
	want := r.at(gate)
	var body io.Reader
	if r.form != "" {
		body = strings.NewReader(r.form)
	}
	got, header := ask(t, server, method, target, body, r.authorization)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, challenge := range got.Challenges {
		if _, err := parseChallenge(challenge); err != nil {
			t.Errorf("challenge %q: %v", challenge, err)
		}
	}
	wait, retry := strconv.Atoi(header.Get("Retry-After"))
	if retryable := want.Status == 429 || want.Status == 503; retryable && (retry != nil || wait < 1) || !retryable && header["Retry-After"] != nil {
		t.Errorf("Retry-After %q with status %d", header["Retry-After"], got.Status)
	}
	if r.form != "" || method != http.MethodGet {
		return header
	}
	head, _ := ask(t, server, http.MethodHead, target, nil, r.authorization)
	want.Body, want.ContentType = "", head.ContentType // Echo leaves that out where it writes no body
	if diff := gocmp.Diff(want, head); diff != "" {
		t.Errorf("HEAD: %s", diff)
	}
	return header
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
				v := newValidator(t, m.issuer(iss))
				server := httptest.NewServer(f.api(v, nil, serve))
				t.Cleanup(server.Close)
				for _, gate := range gatePaths {
					if gate == "/fresh" && v.CanVerifyFresh() != nil {
						continue
					}
					for _, r := range []row{
						{authorization: bearer(m.token(iss, issuertest.Claims{Scope: "orders:read"})), want: unavailable},
						// What needs no issuer is answered as ever.
						{authorization: nil, want: unauthorized},
						{authorization: []string{"Bearer a b"}, want: badRequest},
						{authorization: bearer(strings.Repeat("a", validator.DefaultMaxTokenBytes+1)), want: tooLarge},
					} {
						r.run(t, server, gate)
					}
				}
			})
		}
	}
}

// TestThrottled: while one of a caller's tokens is asked about and another waits, a
// third is refused, by each gate, and that says nothing about the token either.
func TestThrottled(t *testing.T) {
	const long = time.Hour // no test waits for it
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			iss := issuertest.New(t)
			issuer := both(iss)
			issuer.Introspection.MaxConcurrent, issuer.Introspection.MaxWaiting = 1, 1
			issuer.Introspection.MaxWait, issuer.Introspection.RequestTimeout = long, long
			answer := make(chan struct{})
			iss.SetFault(issuertest.Introspection, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				wait(r, answer)
				next.ServeHTTP(w, r)
			})
			server := httptest.NewServer(f.api(newValidator(t, issuer), nil, serve))
			t.Cleanup(server.Close)
			token := func() []string { return bearer(iss.Opaque(issuertest.Claims{Scope: "orders:read"})) }
			statuses := make(chan int)
			for range 3 {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/require", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header["Authorization"] = token()
				go func() {
					response, err := server.Client().Do(r)
					if err != nil {
						statuses <- 0
						return
					}
					_ = response.Body.Close()
					statuses <- response.StatusCode
				}()
			}
			if status := <-statuses; status != 429 {
				t.Errorf("the first answer is %d", status)
			}
			for _, gate := range gatePaths { // one is asked about, and one waits
				row{authorization: token(), want: tooMany}.run(t, server, gate)
			}
			close(answer)
			for range 2 {
				if status := <-statuses; status != 200 {
					t.Errorf("who waited got %d", status)
				}
			}
		})
	}
}
