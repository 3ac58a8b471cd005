package grpcauth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestAnswers: each call is answered as httpauth answers, by unary and by streaming
// methods alike.
func TestAnswers(t *testing.T) {
	iss := issuertest.New(t)
	good := iss.Token(issuertest.Claims{Scope: "orders:read"})
	values := func(of ...string) metadata.MD { return metadata.MD{"authorization": of} }
	bad := func(kind issuertest.Bad) metadata.MD {
		return bearer(iss.Bad(kind, issuertest.Claims{Scope: "orders:read"}))
	}
	cc := newAPI(t, grpcauth.New(newValidator(t, iss), rules, nil), nil)
	for name, tc := range map[string]struct {
		md   metadata.MD
		want reply
	}{
		"good":               {bearer(good), letIn("m2m-client")},
		"another case":       {values("bEARER " + good), letIn("m2m-client")},
		"upper-case key":     {metadata.Pairs("Authorization", "Bearer "+good), letIn("m2m-client")}, // which the client makes small
		"several spaces":     {values("Bearer   " + good), letIn("m2m-client")},
		"other metadata":     {metadata.Join(bearer(good), metadata.Pairs("authorization-bin", "Basic dTpw", "x-authorization", "Bearer x")), letIn("m2m-client")},
		"a proof, of no use": {metadata.Join(bearer(good), metadata.Pairs("dpop", "x")), letIn("m2m-client")},

		"none":              {nil, unauthorized},
		"empty":             {values(""), unauthorized},
		"Basic":             {values("Basic dTpw"), unauthorized},
		"a longer scheme":   {values("BearerX " + good), unauthorized},
		"without a scheme":  {values(good), unauthorized},
		"DPoP without DPoP": {values("DPoP " + good), unauthorized},
		"elsewhere": {metadata.Pairs("authorization-bin", "Bearer "+good, "x-authorization", "Bearer "+good, "proxy-authorization", "Bearer "+good,
			"access_token", good, "grpcgateway-authorization", "Bearer "+good), unauthorized},

		"two values":         {values("Bearer "+good, "Bearer "+good), badRequest},
		"two schemes":        {values("Basic dTpw", "Bearer "+good), badRequest},
		"two, one empty":     {values("", "Bearer "+good), badRequest},
		"joined by a comma":  {values("Bearer " + good + ", Bearer " + good), badRequest},
		"joined, no space":   {values("Bearer " + good + ",Basic dTpw"), badRequest},
		"the scheme alone":   {values("Bearer"), badRequest},
		"a space in it":      {values("Bearer " + good + " x"), badRequest},
		"a hundred of them":  {values(strings.Split(strings.Repeat("Bearer x,", 99)+"Bearer "+good, ",")...), badRequest},
		"a parameter":        {values(`Bearer token="` + good + `"`), badRequest},
		"too large":          {bearer(strings.Repeat("a", validator.DefaultMaxTokenBytes+1)), invalidToken("The access token is too large.")},
		"larger than a page": {bearer(strings.Repeat("a", 1<<20)), invalidToken("The access token is too large.")},

		"expired":        {bad(issuertest.Expired), invalidToken("The access token has expired.")},
		"tampered with":  {bad(issuertest.Tampered), invalidToken("The signature of the access token is not valid.")},
		"alg none":       {bad(issuertest.AlgNone), invalidToken("The access token is signed with an algorithm that this API does not accept.")},
		"wrong audience": {bad(issuertest.WrongAudience), invalidToken("The access token is meant for another API.")},
		"unknown issuer": {bad(issuertest.WrongIssuer), invalidToken("The access token is from an issuer that this API does not trust.")},
		"sender-bound":   {bad(issuertest.SenderBound), invalidToken("The access token is bound to a sender and cannot be used as a bearer token.")},
		"other scope":    {bearer(iss.Token(issuertest.Claims{Scope: "orders:write"})), insufficientScope("orders:read")},
		"no scope":       {bearer(iss.Token(issuertest.Claims{})), insufficientScope("orders:read")},
		"scope of another case": {
			bearer(iss.Token(issuertest.Claims{Scope: "Orders:Read"})), insufficientScope("orders:read"),
		},
	} {
		for _, method := range []string{list, watch} {
			t.Run(name+method, func(t *testing.T) {
				if diff := gocmp.Diff(tc.want, ask(t, cc, method, tc.md)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	for method, tc := range map[string]struct {
		scope string
		want  reply
	}{
		create:  {"orders:write", letIn("m2m-client")},
		imports: {"orders:write", insufficientScope("orders:read orders:write")},
	} {
		if diff := gocmp.Diff(tc.want, ask(t, cc, method, bearer(iss.Token(issuertest.Claims{Scope: tc.scope})))); diff != "" {
			t.Errorf("%s: %s", method, diff)
		}
	}
}

// TestOutage is about everybody, and no client's fault.
func TestOutage(t *testing.T) {
	iss := issuertest.New(t)
	for _, e := range []issuertest.Endpoint{issuertest.Discovery, issuertest.JWKS} {
		iss.SetFault(e, issuertest.Down())
	}
	cc := newAPI(t, grpcauth.New(newValidator(t, iss), rules, nil), nil)
	for _, method := range []string{list, watch} {
		got := ask(t, cc, method, bearer(iss.Token(issuertest.Claims{Scope: "orders:read"})))
		if got.Retry < time.Second {
			t.Errorf("%s: RetryInfo says %v", method, got.Retry)
		}
		got.Retry = 0
		if diff := gocmp.Diff(unavailable, got); diff != "" {
			t.Errorf("%s: %s", method, diff)
		}
		if diff := gocmp.Diff(unauthorized, ask(t, cc, method, nil)); diff != "" {
			t.Errorf("%s, what needs no keys: %s", method, diff)
		}
	}
}

// TestThrottled: while one of a caller's tokens is asked about and another waits, a
// third is too many. Another caller has a turn of its own.
func TestThrottled(t *testing.T) {
	iss := issuertest.New(t)
	asked, release := make(chan struct{}, 8), make(chan struct{})
	ask1 := introspectorFunc(func(ctx context.Context, token string) (introspection.Answer, error) {
		asked <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return introspection.Answer{Active: true, Claims: map[string]any{"aud": issuertest.Audience, "scope": "orders:read", "client_id": token}}, nil
	})
	v := newValidator(t, iss, func(c *validator.Config) {
		c.Issuers[0].Keys = nil
		c.Issuers[0].Introspection = &introspection.Config{Introspector: ask1, MaxConcurrent: 1, MaxWaiting: 1}
	})
	auth := grpcauth.New(v, rules, &grpcauth.Config{Source: func(ctx context.Context) string {
		return strings.Join(metadata.ValueFromIncomingContext(ctx, "x-caller"), ",")
	}})
	cc := newAPI(t, auth, nil)
	answers := make(chan reply, 8)
	send := func(token string) {
		go func() { answers <- ask(t, cc, list, metadata.Join(bearer(token), metadata.Pairs("x-caller", "a"))) }()
	}
	send("one")
	<-asked
	send("two")
	send("three")
	got := <-answers // of whichever came last
	if got.Retry < time.Second {
		t.Errorf("RetryInfo says %v", got.Retry)
	}
	got.Retry = 0
	want := reply{Code: codes.ResourceExhausted, Reason: "TOO_MANY_REQUESTS", Message: "Too many access tokens of this caller wait to be checked."}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	close(release)
	for range 2 {
		if got := <-answers; got.Code != codes.OK {
			t.Errorf("of one that waited: %+v", got)
		}
	}
}

type introspectorFunc func(context.Context, string) (introspection.Answer, error)

func (f introspectorFunc) IntrospectToken(ctx context.Context, token string) (introspection.Answer, error) {
	return f(ctx, token)
}

// decide is a policy, and what a handler asks before it denies.
func decide(_ context.Context, token *validator.Token) error {
	switch token.ClientID() {
	case "denied":
		return errors.New("a reason that nobody else may read")
	case "undecided":
		return fmt.Errorf("the plan cannot be had: %w", validator.ErrUnavailable)
	}
	return nil
}

// TestPolicy of a gate says no, and so does a handler by Deny.
func TestPolicy(t *testing.T) {
	iss := issuertest.New(t)
	v := newValidator(t, iss)
	byGate := grpcauth.New(v, nil, &grpcauth.Config{Gates: map[string]httpauth.Gate{
		list: httpauth.GateThat(scopes.All("orders:read"), decide), watch: httpauth.GateThat(scopes.All("orders:read"), decide),
	}})
	byHandler := grpcauth.New(v, rules, nil)
	deny := &orders{called: func(ctx context.Context) error {
		if err := decide(ctx, validator.FromContext(ctx)); err != nil {
			return byHandler.Deny(ctx, err)
		}
		return nil
	}}
	for name, tc := range map[string]struct {
		auth    *grpcauth.Auth
		api     *orders
		methods []string
	}{
		"Gate": {byGate, nil, []string{list, watch}},
		"Deny": {byHandler, deny, []string{list}},
	} {
		cc := newAPI(t, tc.auth, tc.api)
		for client, want := range map[string]reply{"denied": denied, "undecided": unavailable, "allowed": letIn("allowed")} {
			for _, method := range tc.methods {
				got := ask(t, cc, method, bearer(iss.Token(issuertest.Claims{ClientID: client, Scope: "orders:read"})))
				if (got.Retry > 0) != (want.Code == codes.Unavailable) {
					t.Errorf("%s%s, %s: RetryInfo says %v", name, method, client, got.Retry)
				}
				got.Retry = 0
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("%s%s, %s: %s", name, method, client, diff)
				}
			}
		}
	}
}

// TestOtherGates: optional, fresh and report-only methods.
func TestOtherGates(t *testing.T) {
	iss := issuertest.New(t)
	v := newValidator(t, iss, func(c *validator.Config) {
		c.Issuers[0].Introspection = &introspection.Config{
			Endpoint: iss.IntrospectionURL(), Auth: introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret)),
		}
	})
	now := time.Duration(0)
	cc := newAPI(t, grpcauth.New(v, nil, &grpcauth.Config{Gates: map[string]httpauth.Gate{
		list:    {Rule: scopes.All("orders:read"), Optional: true},
		watch:   {Rule: scopes.All("orders:read"), Optional: true},
		create:  {Rule: scopes.All("orders:read"), MaxAge: &now},
		imports: {Rule: scopes.All("orders:read"), DangerouslyReportOnly: true},
	}}), nil)
	expired := bearer(iss.Bad(issuertest.Expired, issuertest.Claims{Scope: "orders:read"}))
	revoked := iss.Token(issuertest.Claims{Scope: "orders:read"})
	iss.Revoke(revoked)
	for name, tc := range map[string]struct {
		method string
		md     metadata.MD
		want   reply
	}{
		"optional, none":            {list, nil, letIn("nobody")},
		"optional, good":            {list, bearer(iss.Token(issuertest.Claims{Scope: "orders:read"})), letIn("m2m-client")},
		"optional, bad":             {list, expired, invalidToken("The access token has expired.")},
		"optional stream, none":     {watch, nil, letIn("nobody")},
		"optional stream, bad":      {watch, expired, invalidToken("The access token has expired.")},
		"fresh, good":               {create, bearer(iss.Token(issuertest.Claims{Scope: "orders:read"})), letIn("m2m-client")},
		"fresh, revoked":            {create, bearer(revoked), invalidToken("The access token is not active.")},
		"report-only, none":         {imports, nil, letIn("nobody")},
		"report-only, bad":          {imports, expired, letIn("nobody")},
		"report-only, a scope less": {imports, bearer(iss.Token(issuertest.Claims{Scope: "orders:write"})), letIn("m2m-client")},
	} {
		if diff := gocmp.Diff(tc.want, ask(t, cc, tc.method, tc.md)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
