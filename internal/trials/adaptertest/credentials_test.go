package adaptertest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// gatewayField is where these tests' gateway puts what a client sent: the scheme
// and the token, or a word that stands for trouble.
const gatewayField = "X-Client-Authorization"

func fromGateway(r *http.Request) (scheme, token string, err error) {
	value := r.Header.Get(gatewayField)
	if token, found := strings.CutPrefix(value, "schemeless "); found {
		return "", token, nil
	}
	switch value {
	case "broken":
		return "Bearer", "ignored", errors.New("a signature that does not fit")
	case "down":
		return "", "", fmt.Errorf("the session store: %w", validator.ErrUnavailable)
	case "late":
		return "", "", context.DeadlineExceeded
	default:
		scheme, token, _ = strings.Cut(value, " ")
		return scheme, token, nil
	}
}

// TestCredentials: what Config.Credentials finds passes the same checks as what
// stands in the Authorization field, and no token comes from anywhere else.
func TestCredentials(t *testing.T) {
	iss := issuertest.New(t)
	good := iss.Opaque(issuertest.Claims{Scope: "orders:read"})
	in := map[string]answer{"": passed(issuertest.ClientID), "/bound": bound}
	refused := func(a answer) map[string]answer { return map[string]answer{"": a, "/report": passed("nobody")} }
	inactive := refused(invalidToken("The access token is not active."))
	servers := make(map[string]*httptest.Server)
	for _, f := range frameworks {
		servers[f.name] = httptest.NewServer(f.api(newValidator(t, both(iss)), &httpauth.Config{Credentials: fromGateway}, who))
		t.Cleanup(servers[f.name].Close)
	}
	for name, tc := range map[string]struct {
		found         string
		authorization []string
		want          map[string]answer // by path; "" is for those that are not named
	}{
		"found":                                  {"Bearer " + good, nil, in},
		"found, in other letters":                {"bEARER " + good, nil, in},
		"the same in Authorization":              {"Bearer " + good, []string{"Bearer " + good}, in},
		"the same, scheme and spaces differ":     {"Bearer " + good, []string{"bearer   " + good}, in},
		"nothing":                                {"", nil, map[string]answer{"": unauthorized, "/optional": passed("nobody"), "/report": passed("nobody")}},
		"nothing, and a token in Authorization":  {"", []string{"Bearer " + good}, refused(unauthorized)},
		"nothing, and another scheme there":      {"", []string{"Basic dTpw"}, refused(unauthorized)},
		"nothing, and an empty field":            {"", []string{""}, refused(unauthorized)},
		"nothing, and two fields":                {"", []string{"Basic dTpw", "Basic dTpw"}, refused(badRequest)},
		"found, and another token":               {"Bearer " + good, []string{"Bearer other"}, refused(badRequest)},
		"found, and a longer token":              {"Bearer " + good, []string{"Bearer " + good + "x"}, refused(badRequest)},
		"found, and a shorter token":             {"Bearer " + good, []string{"Bearer " + good[:20]}, refused(badRequest)},
		"found, and no space":                    {"Bearer " + good, []string{"Bearer" + good}, refused(badRequest)},
		"found, and another scheme":              {"Bearer " + good, []string{"Basic " + good}, refused(badRequest)},
		"found, and an empty field":              {"Bearer " + good, []string{""}, refused(badRequest)},
		"found, and the same twice":              {"Bearer " + good, []string{"Bearer " + good, "Bearer " + good}, refused(badRequest)},
		"found, and the same and more":           {"Bearer " + good, []string{"Bearer " + good + ", Bearer x"}, refused(badRequest)},
		"another scheme":                         {"Basic dTpw", nil, refused(unauthorized)},
		"another scheme alone":                   {"Basic", nil, refused(unauthorized)},
		"a scheme that begins like Bearer":       {"BearerX " + good, nil, refused(unauthorized)},
		"a scheme and more":                      {"Bearer, " + good, nil, refused(unauthorized)},
		"another scheme, twice":                  {"Basic dTpw", []string{"Basic dTpw"}, refused(unauthorized)},
		"a look-alike":                           {"Be\u0430rer " + good, nil, refused(unauthorized)},
		"a token without a scheme":               {"schemeless " + good, nil, refused(unauthorized)},
		"a scheme without a token":               {"Bearer", nil, refused(badRequest)},
		"a scheme without a token, and the same": {"Bearer", []string{"Bearer"}, refused(badRequest)},
		"two tokens":                             {"Bearer " + good + ",x", nil, refused(badRequest)},
		"a space before it":                      {"Bearer  " + good, nil, refused(badRequest)},
		"other characters":                       {"Bearer " + good + "é", nil, refused(badRequest)},
		"too large":                              {"Bearer " + strings.Repeat("a", validator.DefaultMaxTokenBytes+1), nil, refused(invalidToken("The access token is too large."))},
		"unknown":                                {"Bearer x" + good, nil, inactive},
		"an error":                               {"broken", nil, refused(badRequest)},
		"an error beside a good token":           {"broken", []string{"Bearer " + good}, refused(badRequest)},
		"an outage":                              {"down", nil, refused(unavailable)},
		"a time-out":                             {"late", []string{"Bearer " + good}, refused(unavailable)},
	} {
		for _, f := range frameworks {
			for _, path := range gatePaths {
				want, named := tc.want[path]
				if !named {
					want = tc.want[""]
				}
				header := http.Header{"Authorization": tc.authorization}
				header.Set(gatewayField, tc.found)
				got, _ := send(t, servers[f.name], http.MethodGet, path, nil, header)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, %s%s: %s", name, f.name, path, diff)
				}
			}
		}
	}
}

// TestNarrowedAudience: several middlewares share a validator, each with an
// audience of its own.
func TestNarrowedAudience(t *testing.T) {
	iss := issuertest.New(t)
	issuer := both(iss)
	issuer.Audience = []string{"orders", "bills"}
	issuer.DangerouslyAcceptMissingAudience = true
	v := newValidator(t, issuer)
	foreign := invalidToken("The access token is meant for another API.")
	nameless := invalidToken("The access token does not name the API that it is meant for.")
	of := func(audience any) []string {
		return bearer(iss.Opaque(issuertest.Claims{Scope: "orders:read", Extra: map[string]any{"aud": audience}}))
	}
	for name, tc := range map[string]struct {
		authorization []string
		orders, wide  answer
	}{
		"its own":       {of("orders"), passed(issuertest.ClientID), passed(issuertest.ClientID)},
		"among others":  {of([]string{"x", "orders"}), passed(issuertest.ClientID), passed(issuertest.ClientID)},
		"a neighbour's": {of("bills"), foreign, passed(issuertest.ClientID)},
		"none":          {of(nil), nameless, passed(issuertest.ClientID)},
		"a stranger's":  {of("x"), foreign, foreign},
		"no token":      {nil, unauthorized, unauthorized},
	} {
		for _, f := range frameworks {
			narrow := httptest.NewServer(f.api(v, &httpauth.Config{Audience: []string{"orders"}}, who))
			t.Cleanup(narrow.Close)
			wide := httptest.NewServer(f.api(v, &httpauth.Config{Audience: nil}, who))
			t.Cleanup(wide.Close)
			for range 2 { // the second one is from a cache
				for _, path := range []string{"/require", "/that", "/fresh"} {
					got, _ := ask(t, narrow, http.MethodGet, path, nil, tc.authorization)
					if diff := cmp.Diff(tc.orders, got); diff != "" {
						t.Errorf("%s, %s%s, narrowed: %s", name, f.name, path, diff)
					}
					got, _ = ask(t, wide, http.MethodGet, path, nil, tc.authorization)
					if diff := cmp.Diff(tc.wide, got); diff != "" {
						t.Errorf("%s, %s%s: %s", name, f.name, path, diff)
					}
				}
			}
		}
	}
}
