package validator_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestExplainEveryDemand crosses kinds of tokens, states of a list of revocations, what
// tokens say, what requests show and what routes ask: an explanation says what
// VerifyRequest says, in each.
func TestExplainEveryDemand(t *testing.T) {
	const client = "orders-batch"
	certificate := []byte("0 the DER of a certificate")
	cnf := func(member string) map[string]any {
		return map[string]any{"cnf": map[string]any{member: thumbprintOf(certificate)}}
	}
	ask := revocation.Config{AskIssuerAtStart: true}
	iss := issuertest.New(t)
	lists := map[string]*killSwitch{
		"no list": nil, "current": newKillSwitch(t, revocation.Config{}).now(), "revoked": newKillSwitch(t, revocation.Config{}).now(),
		"unloaded": newKillSwitch(t, revocation.Config{}), "unloaded, ask": newKillSwitch(t, ask), "revoked, unloaded, ask": newKillSwitch(t, ask),
	}
	for _, revoked := range []string{"revoked", "revoked, unloaded, ask"} {
		lists[revoked].tell(revocation.Block(revocation.Client(iss.URL(), client)))
	}
	outcomes := make(map[validator.Check]int)
	for listed, list := range lists {
		for how, kind := range map[string]struct {
			issuer validator.Issuer
			token  func(issuertest.Claims) string
		}{
			"JWT": {keysOf(iss), iss.Token}, "JWT, or asked": {bothOf(iss), iss.Token}, "JWT by asking": {answersOf(iss), iss.Token},
			"opaque": {answersOf(iss), iss.Opaque}, "opaque, beside keys": {bothOf(iss), iss.Opaque}, "opaque, unasked": {keysOf(iss), iss.Opaque},
		} {
			if strings.HasSuffix(listed, "ask") && kind.issuer.Introspection == nil {
				continue // New refuses a list that has nobody to ask
			}
			v := newValidator(t, kind.issuer, func(c *validator.Config) {
				c.Issuers[0].Profile = validator.RFC9068()
				c.Issuers[0].Profile.Accept = func(t *validator.Token) error {
					if t.Subject() == "nobody" {
						return errors.New("nobody")
					}
					return nil
				}
				c.DPoP = new(dpop.Config)
				if list != nil {
					c.Revocations = list.List
				}
			})
			for what, claims := range map[string]issuertest.Claims{
				"good": {ClientID: client, Scope: "orders:read"}, "expired": {ClientID: client, ExpiresIn: -time.Hour}, "of nobody": {ClientID: client, Subject: "nobody"},
				"for another": {ClientID: client, Audience: []string{"https://other.example"}}, "without client": {Extra: map[string]any{"client_id": nil, "sub": nil}},
				"for two":  {ClientID: client, Audience: []string{issuertest.Audience, "https://payments.example"}},
				"by a key": {ClientID: client, Extra: cnf("jkt")}, "by a certificate": {ClientID: client, Extra: cnf("x5t#S256")},
			} {
				token := kind.token(claims)
				for shown, r := range map[string]validator.Request{
					"bearer": {Scheme: "bearer"}, "DPoP": {Scheme: "DPoP", Method: "GET", URL: "https://api.example/"}, "Basic": {Scheme: "Basic"},
					"with its certificate": {Certificate: certificate}, "with another": {Certificate: []byte("1")}, "unread": {CertificateErr: validator.ErrUnavailable},
				} {
					r.Token = token
					for asks, d := range map[string]*validator.Demand{
						"nothing": nil, "fresh": {MaxAge: new(time.Duration)}, "bound": {Bound: true}, "payments": {Audience: []string{"https://payments.example"}},
						"all": {Bound: true, MaxAge: new(time.Duration), Audience: []string{issuertest.Audience}},
					} {
						if testing.Short() && asks == "all" {
							continue
						}
						rule := scopes.All("orders:read")
						o := validator.ExplainOptions{Network: true, Demand: d, Rule: &rule}
						e := v.Explain(t.Context(), &r, o)
						want := checkOf(t, v, &r, o)
						outcomes[want]++
						if got := failedAt(e); got != want || e.Accepted != (want == "") {
							t.Errorf("%s, list %s, token %s, request %s, route asks %s: failed first %q, accepted %v; VerifyRequest says %q\n%s", how, listed, what, shown, asks, got, e.Accepted, want, e)
						}
					}
				}
			}
		}
	}
	for _, c := range []validator.Check{"", "cnf", "aud", "exp", "revoked", "unavailable", "missing", "scope", "claims", "shape", "proof"} {
		if outcomes[c] == 0 {
			t.Errorf("no case ends with %q: %v", c, outcomes)
		}
	}
}

// steps are an explanation's by name.
func steps(e validator.Explanation) map[string]validator.Step {
	named := make(map[string]validator.Step)
	for _, s := range e.Steps {
		named[s.Name] = s
	}
	return named
}

// wantSteps is what the outcome of each named step is to be: p, f or n, with a u behind
// it where it is unproven.
func wantSteps(t *testing.T, e validator.Explanation, want string) {
	t.Helper()
	named := steps(e)
	for pair := range strings.FieldsSeq(want) {
		name, outcome, _ := strings.Cut(pair, "=")
		s, there := named[strings.ReplaceAll(name, "_", " ")]
		got := s.Outcome()[:1]
		if s.Unproven {
			got += "u"
		}
		if !there || got != outcome {
			t.Errorf("step %s is %s (there %v), wanted %s\n%s", name, got, there, outcome, e)
		}
	}
}

// TestExplainGoesOn: behind the first fault all else is told that can be, and as no more
// than what anybody may have written.
func TestExplainGoesOn(t *testing.T) {
	iss, other := issuertest.New(t), issuertest.New(t)
	one := newJWT(t, iss)
	two := newMany(t, keysOf(iss), keysOf(other))
	for _, v := range []*validator.Validator{one, two} {
		if err := v.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	rule := scopes.All("orders:read")
	explain := func(v *validator.Validator, token string) validator.Explanation {
		return v.Explain(t.Context(), &validator.Request{Token: token}, validator.ExplainOptions{Rule: &rule})
	}
	bad := issuertest.Claims{ExpiresIn: -time.Hour, Audience: []string{"https://other.example"}, Scope: "orders:write"}
	all := explain(one, iss.Token(bad))
	wantSteps(t, all, "iss=p alg=p exp=f aud=f nbf=p cnf=p key=p signature=p client=p scopes=p rule=f")
	if !all.Proven || all.Accepted || all.Issuer != iss.URL() {
		t.Errorf("proven %v, accepted %v, of %q", all.Proven, all.Accepted, all.Issuer)
	}
	wantSteps(t, explain(one, iss.Bad(issuertest.OtherKey, bad)), "iss=pu exp=fu aud=fu key=pu signature=fu client=pu scopes=pu rule=fu")
	foreign := bad
	foreign.Issuer = "https://nobody.example"
	wantSteps(t, explain(one, iss.Token(foreign)), "iss=fu typ=pu alg=pu exp=fu aud=fu key=n signature=n client=pu rule=fu")
	wantSteps(t, explain(two, iss.Token(foreign)), "iss=fu typ=n alg=n exp=fu aud=fu lifetime=n key=n signature=n client=n scopes=n rule=n")
	foreign.Audience = nil
	wantSteps(t, explain(two, iss.Token(foreign)), "iss=fu exp=fu aud=pu nbf=pu")
	wantSteps(t, explain(one, iss.Bad(issuertest.Malformed, bad)), "header=pu forms=fu iss=n exp=n signature=n rule=n")
	wantSteps(t, explain(one, "\""+iss.Token(bad)+"\""), "characters=f three_parts=p header=fu exp=fu signature=n")
	wantSteps(t, explain(one, iss.Token(bad)+"\n"), "characters=f three_parts=p exp=fu aud=fu key=pu signature=fu")
	wantSteps(t, explain(one, strings.Repeat("x", 1<<16)), "size=f characters=n three_parts=n")
	wantSteps(t, explain(one, iss.Opaque(issuertest.Claims{})), "three_parts=p issuer=f active=n exp=n rule=n")
	if e := explain(one, ""); len(e.Steps) == 0 || failedAt(e) != validator.CheckMissing {
		t.Errorf("no token: %s", e)
	}
	for name, v := range map[string]*validator.Validator{"nil": nil, "not made": new(validator.Validator)} {
		if e := explain(v, "x"); failedAt(e) != validator.CheckUnavailable || e.Accepted {
			t.Errorf("%s: %s", name, e)
		}
	}
	one.Close()
	if e := explain(one, iss.Token(issuertest.Claims{})); failedAt(e) != validator.CheckUnavailable {
		t.Errorf("closed: %s", e)
	}
}

// TestExplainAsksNobodyUnlessTold: without Network, what would have to be fetched is not
// reached, and says so; another scheme's credentials are not looked at.
func TestExplainAsksNobodyUnlessTold(t *testing.T) {
	iss := issuertest.New(t)
	d := newDirectory(keysOf(iss))
	for name, v := range map[string]*validator.Validator{
		"keys": newJWT(t, iss), "introspection": newOpaque(t, iss), "both": newValidator(t, bothOf(iss)), "a Resolver": newResolving(t, d),
		"OpaqueIssuer": newResolving(t, d, func(c *validator.Config) {
			c.OpaqueIssuer = func(context.Context, string) string { return iss.URL() }
		}),
	} {
		for _, token := range []string{iss.Token(issuertest.Claims{}), iss.Opaque(issuertest.Claims{}), iss.Token(issuertest.Claims{ExpiresIn: -time.Hour})} {
			for _, demand := range []*validator.Demand{nil, {MaxAge: new(time.Duration)}} {
				e := v.Explain(t.Context(), &validator.Request{Token: token}, validator.ExplainOptions{Demand: demand})
				if e.Accepted || e.Proven || asked(iss) != 0 || d.total() != 0 {
					t.Fatalf("%s: accepted %v, proven %v; the issuer was asked %d times, the Resolver %d times\n%s", name, e.Accepted, e.Proven, asked(iss), d.total(), e)
				}
				if _, failed := e.Failed(); !failed && !strings.Contains(e.String(), "ExplainOptions.Network") {
					t.Errorf("%s: it does not say what would decide it\n%s", name, e)
				}
			}
		}
	}
	v := newResolving(t, d)
	r := &validator.Request{Token: iss.Token(issuertest.Claims{})}
	if e := v.Explain(t.Context(), r, validator.ExplainOptions{Network: true}); !e.Accepted || d.total() != 1 {
		t.Errorf("the Resolver was asked %d times\n%s", d.total(), e)
	}
	if e := v.Explain(t.Context(), r, validator.ExplainOptions{}); !e.Accepted || d.total() != 1 {
		t.Errorf("what is held does not serve\n%s", e)
	}
	r.Scheme = "Basic"
	wantSteps(t, v.Explain(t.Context(), r, validator.ExplainOptions{}), "credentials=f size=n characters=n exp=n")
	r.Scheme = "DPoP" // which is not configured
	wantSteps(t, v.Explain(t.Context(), r, validator.ExplainOptions{}), "credentials=f size=p exp=p signature=p")
}

// TestExplainAnotherTime: what was right then, and what will be.
func TestExplainAnotherTime(t *testing.T) {
	iss := issuertest.New(t)
	v := newJWT(t, iss)
	if err := v.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &validator.Request{Token: iss.Token(issuertest.Claims{})}
	for at, want := range map[time.Duration]validator.Check{0: "", 30 * time.Minute: "", 2 * time.Hour: validator.CheckExpiry} {
		if e := v.Explain(t.Context(), r, validator.ExplainOptions{At: time.Now().Add(at)}); failedAt(e) != want {
			t.Errorf("in %v: %s", at, e)
		}
	}
}

// TestExplainShowsNothingToAnybody: a token in which something is wrong is not sent to
// its issuer, and an answer that repeats the token does not show it.
func TestExplainShowsNothingToAnybody(t *testing.T) {
	iss := issuertest.New(t)
	both := newValidator(t, bothOf(iss))
	fresh := &validator.Demand{MaxAge: new(time.Duration)}
	for name, r := range map[string]*validator.Request{
		"expired":   {Token: iss.Token(issuertest.Claims{ExpiresIn: -time.Hour})},
		"forged":    {Token: iss.Bad(issuertest.OtherKey, issuertest.Claims{})},
		"a newline": {Token: iss.Opaque(issuertest.Claims{}) + "\n"},
		"bound":     {Token: iss.Token(issuertest.Claims{CertificateThumbprint: thumbprintOf([]byte("x"))})},
	} {
		both.Explain(t.Context(), r, validator.ExplainOptions{Network: true, Demand: fresh})
		if n := iss.Requests(issuertest.Introspection); n != 0 {
			t.Errorf("%s: it was shown to its issuer", name)
		}
	}
	token := iss.Opaque(issuertest.Claims{})
	for _, member := range []string{"client_id", "scope", "aud", "iss", "token_type", "sub"} {
		says(iss, map[string]any{"client_id": "x", "sub": "x", member: "x/" + token + "/x"})
		v := newOpaque(t, iss, func(c *validator.Config) { c.Issuers[0].Clients = []string{"y"} })
		r := &validator.Request{Token: token}
		rule := scopes.All("orders:read")
		e := v.Explain(t.Context(), r, validator.ExplainOptions{Network: true, Rule: &rule})
		if text := e.String(); sharedPiece(text, token[:len(token)-1]) != "" {
			t.Errorf("%s: %s", member, text)
		}
		s, failed := e.Failed()
		if !failed || strings.Contains(s.Err.Error(), token) {
			t.Errorf("%s: %v", member, s.Err)
		}
	}
}
