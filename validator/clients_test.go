package validator_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// extra is what a token holds beyond, or instead of, the usual; nil values are
// left out.
type extra map[string]any

func (e extra) claims() issuertest.Claims { return issuertest.Claims{Extra: e} }

// proven verifies tokens that hold e, as a JWT and as an opaque token, by an
// issuer that change has changed, and wants the same of both.
func proven(t *testing.T, change func(*validator.Issuer), want string, e extra) {
	t.Helper()
	iss := issuertest.NewInMemory(t)
	issuer := bothOf(iss)
	change(&issuer)
	v := newMany(t, issuer)
	for name, raw := range map[string]string{"JWT": iss.Token(e.claims()), "opaque": iss.Opaque(e.claims())} {
		for _, when := range []string{"first", "again"} {
			if got := outcome(v.Verify(t.Context(), raw)); got != want {
				t.Errorf("%s, %s: %s, wanted %s", name, when, got, want)
			}
		}
	}
}

func TestClients(t *testing.T) {
	listed := func(i *validator.Issuer) { i.Clients = []string{"billing", "reports"} }
	for _, tc := range []struct {
		name   string
		change func(*validator.Issuer)
		extra  extra
		want   string
	}{
		{"every client", func(*validator.Issuer) {}, extra{"client_id": "anybody"}, "ok"},
		{"no client, and none asked for", func(*validator.Issuer) {}, extra{"client_id": nil}, "ok"},
		{"a listed client", listed, extra{"client_id": "reports"}, "ok"},
		{"another client", listed, extra{"client_id": "anybody"}, "client"},
		{"a client in another case", listed, extra{"client_id": "Billing"}, "client"},
		{"a client and more", listed, extra{"client_id": "billing "}, "client"},
		{"no client", listed, extra{"client_id": nil}, "client"},
		{"an empty client", listed, extra{"client_id": ""}, "client"},
		{"by azp", listed, extra{"client_id": nil, "azp": "billing"}, "ok"},
		{"by appid", listed, extra{"client_id": nil, "appid": "billing"}, "ok"},
		{"by cid", listed, extra{"client_id": nil, "cid": "billing"}, "ok"},
		{"client_id counts before azp", listed, extra{"client_id": "anybody", "azp": "billing"}, "client"},
		{"by sub alone", listed, extra{"client_id": nil, "sub": "billing"}, "client"},
		{"a list of clients", listed, extra{"client_id": []string{"billing"}}, "claims"},
		{"a number", listed, extra{"client_id": 1}, "claims"},
	} {
		t.Run(tc.name, func(t *testing.T) { proven(t, tc.change, tc.want, tc.extra) })
	}
}

func TestAppOnly(t *testing.T) {
	appOnly := func(i *validator.Issuer) {
		i.AppOnly = true
		i.Profile.App = validator.SubjectIsClient
	}
	byClaim := func(i *validator.Issuer) {
		i.AppOnly = true
		i.Profile.App = func(t *validator.Token) bool {
			var kind struct {
				Type string `json:"idtyp"`
			}
			return t.Claims(&kind) == nil && kind.Type == "app" && slices.Contains(t.Roles(), "reader") && t.Scopes().Contains("orders:read")
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*validator.Issuer)
		extra  extra
		want   string
	}{
		{"a client", appOnly, extra{"client_id": "billing", "sub": "billing"}, "ok"},
		{"a user", appOnly, extra{"client_id": "billing", "sub": "alice"}, "app"},
		{"no subject", appOnly, extra{"client_id": "billing", "sub": nil}, "app"},
		{"neither subject nor client", appOnly, extra{"client_id": nil, "sub": nil}, "app"},
		{"both empty", appOnly, extra{"client_id": "", "sub": ""}, "app"},
		{"a user, where nobody asks", func(i *validator.Issuer) { i.Profile = validator.Profile{App: validator.SubjectIsClient} }, extra{"client_id": "billing", "sub": "alice"}, "ok"},
		{"App sees the claims and what they grant", byClaim, extra{"idtyp": "app", "roles": "reader", "scope": "orders:read"}, "ok"},
		{"another claim", byClaim, extra{"idtyp": "user", "roles": "reader", "scope": "orders:read"}, "app"},
		{"a claim of another kind", byClaim, extra{"idtyp": []string{"app"}, "roles": "reader", "scope": "orders:read"}, "app"},
		{"another role", byClaim, extra{"idtyp": "app", "roles": "writer", "scope": "orders:read"}, "app"},
	} {
		t.Run(tc.name, func(t *testing.T) { proven(t, tc.change, tc.want, tc.extra) })
	}
}

// What a profile asks may take reading the payload several times, so a forger
// does not get that far.
func TestProfilesJudgeProvenTokensAlone(t *testing.T) {
	iss := issuertest.New(t)
	asked := 0
	v := newJWT(t, iss, func(c *validator.Config) {
		c.Issuers[0].AppOnly = true
		c.Issuers[0].Profile = validator.Profile{
			Require: []string{"/no/such"},
			App:     func(*validator.Token) bool { asked++; return true },
		}
	})
	wantOutcome(t, "claims")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
	wantOutcome(t, "signature")(v.Verify(t.Context(), iss.Bad(issuertest.OtherKey, issuertest.Claims{})))
	if asked != 0 {
		t.Errorf("App was asked %d times about tokens that were refused before", asked)
	}
}

func TestNoAudience(t *testing.T) {
	cognito := func(i *validator.Issuer) {
		i.Audience, i.Clients = nil, []string{"billing"}
		i.Profile = validator.Profile{NoAudience: true, Match: map[string][]string{"token_use": {"access"}}}
	}
	withAudience := func(i *validator.Issuer) {
		cognito(i)
		i.Audience = []string{issuertest.Audience}
	}
	for _, tc := range []struct {
		name   string
		change func(*validator.Issuer)
		extra  extra
		want   string
	}{
		{"none", cognito, extra{"aud": nil, "client_id": "billing", "token_use": "access"}, "ok"},
		{"an empty list", cognito, extra{"aud": []string{}, "client_id": "billing", "token_use": "access"}, "ok"},
		{"another client", cognito, extra{"aud": nil, "client_id": "anybody", "token_use": "access"}, "client"},
		{"an audience after all", cognito, extra{"client_id": "billing", "token_use": "access"}, "aud"},
		{"an empty audience", cognito, extra{"aud": "", "client_id": "billing", "token_use": "access"}, "aud"},
		{"one of ours, which is configured", withAudience, extra{"client_id": "billing", "token_use": "access"}, "ok"},
		{"not one of ours", withAudience, extra{"aud": "https://other.example.test", "client_id": "billing", "token_use": "access"}, "aud"},
	} {
		t.Run(tc.name, func(t *testing.T) { proven(t, tc.change, tc.want, tc.extra) })
	}
}

func TestNewReportsClientFaults(t *testing.T) {
	app := func(*validator.Token) bool { return true }
	for name, tc := range map[string]struct {
		change func(*validator.Issuer)
		says   []string
	}{
		"an empty list":            {func(i *validator.Issuer) { i.Clients = []string{} }, []string{"Clients", "empty", "wanted nil"}},
		"a nameless client":        {func(i *validator.Issuer) { i.Clients = []string{"a", ""} }, []string{"Clients", "empty", "wanted"}},
		"nothing tells apps":       {func(i *validator.Issuer) { i.AppOnly = true }, []string{"AppOnly", "wanted a Profile with App", "RFC9068()"}},
		"no audience, all clients": {func(i *validator.Issuer) { i.Profile.NoAudience = true }, []string{"Clients", "wanted at least one", "audience"}},
		"signed answers to nobody": {func(i *validator.Issuer) { i.SignedAnswersFor = "api" }, []string{"SignedAnswersFor", "without Introspection"}},
		"no audience at all":       {func(i *validator.Issuer) { i.Audience = nil; i.Clients = []string{"a"} }, []string{"Audience is empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			i := fine()
			tc.change(&i)
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{i}})
			if err == nil {
				v.Close()
				t.Fatal("New found no fault")
			}
			for _, part := range append(tc.says, i.URL) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %s", err, part)
				}
			}
		})
	}
	for name, change := range map[string]func(*validator.Issuer){
		"RFC 9068 tells apps":            func(i *validator.Issuer) { i.AppOnly, i.Profile = true, validator.RFC9068() },
		"a profile of one's own":         func(i *validator.Issuer) { i.AppOnly, i.Profile.App = true, app },
		"no audience, and these clients": func(i *validator.Issuer) { i.Audience, i.Clients, i.Profile.NoAudience = nil, []string{"a"}, true },
		"signed answers": func(i *validator.Issuer) {
			i.Introspection, i.SignedAnswersFor = fineIntrospection(), "api"
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := fine()
			change(&i)
			newMany(t, i)
		})
	}
}

// TestNewCopiesWhatDecidesAboutClients changes the lists and maps of an Issuer
// after New.
func TestNewCopiesWhatDecidesAboutClients(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	issuer := bothOf(iss)
	issuer.Clients = []string{"billing"}
	issuer.Profile = validator.Profile{
		Match: map[string][]string{"use": {"access"}}, MatchAnswer: map[string][]string{"use": {"access"}},
		ScopeClaims: []string{"grants"}, RoleClaims: []string{"groups"}, NameClaims: []string{"env"},
		Implies: map[string][]string{"a": {"c"}},
	}
	v := newMany(t, issuer)
	issuer.Clients[0] = "evil"
	issuer.Profile.Match["use"][0], issuer.Profile.MatchAnswer["use"][0] = "evil", "evil"
	issuer.Profile.ScopeClaims[0], issuer.Profile.RoleClaims[0], issuer.Profile.NameClaims[0] = "evil", "evil", "evil"
	issuer.Profile.Implies["a"][0], issuer.Profile.Implies["c"] = "evil", []string{"evil"}
	e := extra{"client_id": "billing", "use": "access", "grants": "a", "groups": "b", "env": "e", "evil": "all"}
	for _, raw := range []string{iss.Token(e.claims()), iss.Opaque(e.claims())} {
		token, err := v.Verify(t.Context(), raw)
		if err != nil || token.Scopes().String() != "a c e" || !slices.Equal(token.Roles(), []string{"b"}) {
			t.Errorf("%v, %v", token, err)
		}
	}
	e["client_id"] = "evil"
	wantOutcome(t, "client")(v.Verify(t.Context(), iss.Token(e.claims())))
}

// TestTwoAmongAHundred has two issuers in use between a hundred others: each
// token goes to its own, under a kid that all of them have, and the others are
// never asked anything.
func TestTwoAmongAHundred(t *testing.T) {
	a, b := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	a.SetJWKS(published(t, map[string]string{"shared": "ed25519-a"}), nil)
	b.SetJWKS(published(t, map[string]string{"shared": "ed25519-b"}), nil)
	issuers := []validator.Issuer{keysOf(a), keysOf(b)}
	var others []*issuertest.Issuer
	for range 100 {
		other := issuertest.NewInMemory(t)
		others = append(others, other)
		issuers = append(issuers, keysOf(other))
	}
	v := newMany(t, issuers...)
	now := time.Now()
	forA, forB := goodClaims(a, now), goodClaims(b, now)
	for range 2 {
		wantOutcome(t, "ok")(v.Verify(t.Context(), byKey(a, "ed25519-a", "shared", forA)))
		wantOutcome(t, "ok")(v.Verify(t.Context(), byKey(b, "ed25519-b", "shared", forB)))
		wantOutcome(t, "signature")(v.Verify(t.Context(), byKey(a, "ed25519-b", "shared", forA)))
		wantOutcome(t, "signature")(v.Verify(t.Context(), byKey(b, "ed25519-a", "shared", forB)))
		wantOutcome(t, "shape")(v.Verify(t.Context(), a.Opaque(issuertest.Claims{})))
	}
	wantRequests(t, a, issuertest.JWKS, 1)
	wantRequests(t, b, issuertest.JWKS, 1)
	for _, other := range others {
		if n := asked(other); n != 0 {
			t.Errorf("%d requests to an issuer that nobody named", n)
		}
	}
}

// BenchmarkSeen100Issuers is BenchmarkSeen with 99 issuers more.
func BenchmarkSeen100Issuers(b *testing.B) {
	iss := issuertest.New(b)
	v := newJWT(b, iss, func(c *validator.Config) {
		for range 99 {
			other := issuertest.NewInMemory(b)
			c.Issuers = append(c.Issuers, validator.Issuer{
				URL: other.URL(), Audience: []string{issuertest.Audience}, Keys: &jwks.Config{HTTPClient: other.Client()},
			})
		}
	})
	benchmarkVerify(b, v, iss.Token(benchClaims), true)
}
