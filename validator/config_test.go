package validator_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// fine is an Issuer without a fault.
func fine() validator.Issuer {
	return validator.Issuer{URL: "https://id.example.com", Audience: []string{"api"}}
}

func fineIntrospection() *introspection.Config {
	return &introspection.Config{Auth: introspection.ClientSecretBasic("api", introspection.Secret("s"))}
}

// faults are wrong settings, one each, and what the error must say of them: the
// field, what was wrong with it, and what is wanted.
var faults = []struct {
	name   string
	change func(*validator.Config)
	says   []string
}{
	{"no issuers", func(c *validator.Config) { c.Issuers = nil }, []string{"Config.Issuers", "empty", "wanted"}},
	{"skew above 5 min", func(c *validator.Config) { c.ClockSkew = 5*time.Minute + 1 }, []string{"Config.ClockSkew", "5m0.000000001s", "at most 5m0s"}},
	{"tokens too short", func(c *validator.Config) { c.MaxTokenBytes = 255 }, []string{"Config.MaxTokenBytes", "255", "wanted 256"}},
	{"tokens too long", func(c *validator.Config) { c.MaxTokenBytes = 1<<20 + 1 }, []string{"Config.MaxTokenBytes", "1048577", "wanted 256 to 1,048,576"}},
	{"negative tokens", func(c *validator.Config) { c.MaxTokenBytes = -1 }, []string{"Config.MaxTokenBytes", "-1", "wanted"}},
	{"a cache without end", func(c *validator.Config) { c.CacheEntries = 1 << 30 }, []string{"Config.CacheEntries", "1073741824", "at most 16777216"}},
	{"no types", issuer(func(i *validator.Issuer) { i.Profile.Types = []string{} }), []string{"Profile.Types", "empty", "wanted nil"}},
	{"a media type", issuer(func(i *validator.Issuer) { i.Profile.Types = []string{"application/at+jwt"} }), []string{"Profile.Types", `"application/at+jwt"`, "without"}},
	{"a claim without name", issuer(func(i *validator.Issuer) { i.Profile.Require = []string{""} }), []string{"Profile.Require", "empty"}},
	{"a claim that must be none of nothing", issuer(func(i *validator.Issuer) { i.Profile.Match = map[string][]string{"tid": {}} }), []string{"Profile.Match ", `"tid"`, "no value", "at least one"}},
	{"a member that must be none of nothing", issuer(func(i *validator.Issuer) { i.Profile.MatchAnswer = map[string][]string{"tid": nil} }), []string{"Profile.MatchAnswer", `"tid"`, "no value"}},
	{"a name claim without name", issuer(func(i *validator.Issuer) { i.Profile.NameClaims = []string{""} }), []string{"Profile.NameClaims", "empty"}},
	{"a claim that is a list and a name", issuer(func(i *validator.Issuer) {
		i.Profile.NameClaims, i.Profile.ScopeClaims = []string{"a", "/grants"}, []string{"grants"}
	}), []string{"Profile.NameClaims", `"/grants"`, "ScopeClaims splits", "one of them"}},
	{"scope as a name, and a list by default", issuer(func(i *validator.Issuer) { i.Profile.NameClaims = []string{"scp"} }), []string{"Profile.NameClaims", `"scp"`, "by default"}},
	{"a scope that implies nothing", issuer(implies("admin")), []string{"Profile.Implies", `"admin"`, "nothing", "wanted the scopes"}},
	{"an implied name with a space", issuer(implies("admin", "orders:read orders:write")), []string{"Profile.Implies", `"orders:read orders:write"`, `for "admin"`, "RFC 6749"}},
	{"an empty implied name", issuer(implies("admin", "")), []string{"Profile.Implies", `""`, `for "admin"`}},
	{"an implied name beyond ASCII", issuer(implies("admin", "größe")), []string{"Profile.Implies", `"gr\u00f6\u00dfe"`}},
	{"a name with a space that implies", issuer(implies("Data Steward", "orders:read")), []string{"Profile.Implies", `"Data Steward"`, "RFC 6749"}},
	{"an implied bare star", issuer(func(i *validator.Issuer) { implies("admin", "*")(i); i.Profile.WildcardSuffix = ":*" }), []string{"Profile.Implies", `"*"`, "no wildcard", "the scopes that are meant"}},
	{"an implied wildcard that is none", issuer(implies("admin", "orders:*")), []string{"Profile.Implies", `"orders:*"`, "WildcardSuffix", "that name alone"}},
	{"an implied wildcard of another suffix", issuer(func(i *validator.Issuer) { implies("admin", "orders.*")(i); i.Profile.WildcardSuffix = ":*" }), []string{"Profile.Implies", `"orders.*"`, "WildcardSuffix"}},
	{"a scope that implies itself", issuer(implies("admin", "admin")), []string{"Profile.Implies", "circle", `"admin", "admin"`}},
	{"scopes that imply each other", issuer(func(i *validator.Issuer) {
		i.Profile.Implies = map[string][]string{"a": {"x", "b"}, "b": {"c"}, "c": {"y", "b"}}
	}), []string{"Profile.Implies", "circle", `"b", "c", "b"`}},
	{"more implied than anybody reads", issuer(implies("admin", strings.Fields(distinctScopes(1000))...)), []string{"Profile.Implies", "1001 names", "at most 1000"}},
	{"a wildcard that is no suffix", issuer(func(i *validator.Issuer) { i.Profile.WildcardSuffix = "*" }), []string{"Profile.WildcardSuffix", `"*"`, "punctuation", `":*"`}},
	{"a wildcard within a word", issuer(func(i *validator.Issuer) { i.Profile.WildcardSuffix = "s*" }), []string{"Profile.WildcardSuffix", `"s*"`, "punctuation"}},
	{"a separator without a star", issuer(func(i *validator.Issuer) { i.Profile.WildcardSuffix = ":" }), []string{"Profile.WildcardSuffix", `":"`}},
	{"negative slots", func(c *validator.Config) { c.VerifySlots = -1 }, []string{"Config.VerifySlots", "-1", "at least 1"}},
	{"no URL", issuer(func(i *validator.Issuer) { i.URL = "" }), []string{"Issuer \"\"", "URL", "empty", "https://id.example.com"}},
	{"no audience", issuer(func(i *validator.Issuer) { i.Audience = nil }), []string{"Issuer \"https://id.example.com\"", "Audience", "empty", "wanted"}},
	{"an empty audience", issuer(func(i *validator.Issuer) { i.Audience = []string{"api", ""} }), []string{"Audience", "empty name"}},
	{"no algorithms", issuer(func(i *validator.Issuer) { i.Algorithms = []string{} }), []string{"Algorithms", "empty", "wanted", "RS256"}},
	{"algorithm none", issuer(func(i *validator.Issuer) { i.Algorithms = []string{"RS256", "none"} }), []string{"Algorithms", `"none"`, "wanted", "RS256"}},
	{"an HMAC", issuer(func(i *validator.Issuer) { i.Algorithms = []string{"HS256"} }), []string{"Algorithms", `"HS256"`, "asymmetric"}},
	{"lower case", issuer(func(i *validator.Issuer) { i.Algorithms = []string{"rs256"} }), []string{"Algorithms", `"rs256"`, "wanted", "exact case"}},
	{"another curve", issuer(func(i *validator.Issuer) { i.Algorithms = []string{"ES256K"} }), []string{"Algorithms", `"ES256K"`, "secp256k1", "ES256"}},
	{"http", issuer(func(i *validator.Issuer) { i.URL = "http://id.example.com" }), []string{"Keys", `"http://id.example.com"`, "use https"}},
	{"no URL at all", issuer(func(i *validator.Issuer) { i.URL = "id.example.com" }), []string{"Keys", `"id.example.com"`, "absolute"}},
	{"a key set and where to fetch it", issuer(func(i *validator.Issuer) {
		i.Keys = &jwks.Config{URL: "https://id.example.com/keys", Set: []byte(`{}`)}
	}), []string{"Keys", "URL", "Set", "at most one"}},
	{"a key set that is none", issuer(func(i *validator.Issuer) { i.Keys = &jwks.Config{Set: []byte(`{"keys":[]}`)} }), []string{"Keys", "Set", "empty"}},
	{"a short life", issuer(func(i *validator.Issuer) { i.Keys = &jwks.Config{RefreshInterval: time.Hour, MaxStale: time.Hour} }), []string{"Keys", "MaxStale", "1h0m0s", "twice"}},
	{"refreshing too often", issuer(func(i *validator.Issuer) { i.Keys = &jwks.Config{RefreshInterval: time.Microsecond} }), []string{"Keys", "RefreshInterval", "1µs", "at least 1ms"}},
	{"nobody introspects", issuer(func(i *validator.Issuer) { i.Introspection = &introspection.Config{} }), []string{"Introspection", "Auth", "missing"}},
	{"a nameless client", issuer(func(i *validator.Issuer) {
		i.Introspection = &introspection.Config{Auth: introspection.ClientSecretBasic("", introspection.Secret("s"))}
	}), []string{"Introspection", "Auth", "empty client id"}},
	{"introspection over http", issuer(func(i *validator.Issuer) {
		i.Introspection = fineIntrospection()
		i.Introspection.Endpoint = "http://id.example.com/introspect"
	}), []string{"Introspection", "Endpoint", `"http://id.example.com/introspect"`, "use https"}},
	{"the same issuer twice", func(c *validator.Config) { c.Issuers = append(c.Issuers, fine()) }, []string{`"https://id.example.com"`, "twice"}},
	{"a choice of none", func(c *validator.Config) {
		c.OpaqueIssuer = func(context.Context, string) string { return c.Issuers[0].URL }
	}, []string{"Config.OpaqueIssuer", "no issuer has Introspection"}},
	{"two that introspect", func(c *validator.Config) {
		one, other := fine(), fine()
		one.URL, other.URL = "https://one.example.com", "https://other.example.com"
		one.Introspection, other.Introspection = fineIntrospection(), fineIntrospection()
		c.Issuers = append(c.Issuers, one, other)
	}, []string{`"https://one.example.com"`, `"https://other.example.com"`, "Introspection", "strangers"}},
	{"a trust domain that is a URL", issuer(func(i *validator.Issuer) { i.TrustDomain = "spiffe://example.org" }), []string{"TrustDomain", `"spiffe://example.org"`, `its name alone: "example.org"`}},
	{"a trust domain in capitals", issuer(func(i *validator.Issuer) { i.TrustDomain = "Example.org" }), []string{"TrustDomain", `"Example.org"`, "small letters"}},
	{"a trust domain with a port", issuer(func(i *validator.Issuer) { i.TrustDomain = "example.org:443" }), []string{"TrustDomain", `"example.org:443"`}},
	{"a trust domain with a path", issuer(func(i *validator.Issuer) { i.TrustDomain = "spiffe://example.org/x" }), []string{"TrustDomain", `"spiffe://example.org/x"`, "small letters"}},
	{"a long trust domain", issuer(func(i *validator.Issuer) { i.TrustDomain = strings.Repeat("x", 256) }), []string{"TrustDomain", "255"}},
	{"one trust domain of two", func(c *validator.Config) {
		other := fine()
		other.URL, other.TrustDomain, c.Issuers[0].TrustDomain = "https://other.example.com", "example.org", "example.org"
		c.Issuers = append(c.Issuers, other)
	}, []string{"TrustDomain", `"https://id.example.com"`, `"https://other.example.com"`, "either's"}},
	{"two without a name", func(c *validator.Config) {
		other := fine()
		other.URL, other.DangerouslyAcceptMissingIssuer, c.Issuers[0].DangerouslyAcceptMissingIssuer = "https://other.example.com", true, true
		c.Issuers = append(c.Issuers, other)
	}, []string{"DangerouslyAcceptMissingIssuer", `"https://id.example.com"`, `"https://other.example.com"`, "wanted one"}},
	{"no name, and a trust domain", issuer(func(i *validator.Issuer) { i.DangerouslyAcceptMissingIssuer, i.TrustDomain = true, "example.org" }), []string{"DangerouslyAcceptMissingIssuer", "TrustDomain"}},
	{"no name, which is required", issuer(func(i *validator.Issuer) {
		i.DangerouslyAcceptMissingIssuer, i.Profile = true, validator.RFC9068()
	}), []string{"DangerouslyAcceptMissingIssuer", "Profile.Require lists iss"}},
	{"a negative lifetime", issuer(func(i *validator.Issuer) { i.MaxTokenLifetime = -time.Second }), []string{"MaxTokenLifetime is -1s", "wanted"}},
	{"a lifetime of what never expires", issuer(func(i *validator.Issuer) {
		i.MaxTokenLifetime, i.Introspection = time.Hour, fineIntrospection()
		i.Introspection.NoExpiry = []string{"0"}
	}), []string{"MaxTokenLifetime", "Introspection.NoExpiry"}},
	{"an expiry that is none and unheard of", issuer(func(i *validator.Issuer) {
		i.Introspection = fineIntrospection()
		i.Introspection.NoExpiry = []string{"never"}
	}), []string{"Introspection", `Config.NoExpiry holds "never"`, `"0" "-1" "null"`}},
	{"own answers that must be signed", issuer(func(i *validator.Issuer) {
		i.SignedAnswersFor, i.Introspection = "api", &introspection.Config{Introspector: reviewing{}}
	}), []string{"SignedAnswersFor", "Introspection.Introspector"}},
	{"own answers, and an endpoint", issuer(func(i *validator.Issuer) {
		i.Introspection = &introspection.Config{Introspector: reviewing{}, Endpoint: "https://id.example.com/introspect"}
	}), []string{"Introspection", "Config.Endpoint is set beside Config.Introspector"}},
}

// implies changes what one scope implies.
func implies(name string, implied ...string) func(*validator.Issuer) {
	return func(i *validator.Issuer) { i.Profile.Implies = map[string][]string{name: implied} }
}

// issuer changes the one issuer of a Config.
func issuer(change func(*validator.Issuer)) func(*validator.Config) {
	return func(c *validator.Config) { change(&c.Issuers[0]) }
}

func TestNewReportsAFault(t *testing.T) {
	for _, tc := range faults {
		t.Run(tc.name, func(t *testing.T) {
			cfg := validator.Config{Issuers: []validator.Issuer{fine()}}
			tc.change(&cfg)
			v, err := validator.New(cfg)
			if err == nil || v != nil {
				t.Fatalf("New returned %v, %v", v, err)
			}
			if !strings.HasPrefix(err.Error(), "validator: ") {
				t.Errorf("%v does not name the package", err)
			}
			for _, part := range tc.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %s", err, part)
				}
			}
		})
	}
}

// TestNewReportsEveryFault wants a line for each fault that says whose it is.
func TestNewReportsEveryFault(t *testing.T) {
	bad := fine()
	bad.URL, bad.Audience, bad.Algorithms = "http://id.example.com", nil, []string{"none", "HS512"}
	bad.Keys = &jwks.Config{RefreshInterval: time.Microsecond, RequestTimeout: -1, MaxResponseBytes: -1}
	bad.Introspection = &introspection.Config{Endpoint: "ftp://id.example.com", RefreshAhead: time.Hour}
	_, err := validator.New(validator.Config{
		ClockSkew:     time.Hour,
		MaxTokenBytes: 1,
		VerifySlots:   -1,
		Issuers:       []validator.Issuer{bad, fine(), fine(), {}},
	})
	if err == nil {
		t.Fatal("New found no fault")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, want := range []string{
		`validator: Config.ClockSkew is 1h0m0s`,
		`validator: Config.MaxTokenBytes is 1`,
		`validator: Config.VerifySlots is -1`,
		`validator: Issuer "http://id.example.com": Audience is empty`,
		`validator: Issuer "http://id.example.com": Algorithms holds "none"`,
		`validator: Issuer "http://id.example.com": Algorithms holds "HS512"`,
		`validator: Issuer "http://id.example.com": URL is http, which is for loopback hosts alone`,
		`validator: Issuer "http://id.example.com": Keys: jwks: Config.RefreshInterval is 1µs`,
		`validator: Issuer "http://id.example.com": Keys: jwks: Config.RequestTimeout is -1ns`,
		`validator: Issuer "http://id.example.com": Keys: jwks: Config.MaxResponseBytes is -1`,
		`validator: Issuer "http://id.example.com": Introspection: introspection: Config.Endpoint`,
		`validator: Issuer "http://id.example.com": Introspection: introspection: Config.Auth`,
		`validator: Issuer "http://id.example.com": Introspection: introspection: Config.RefreshAhead is 1h0m0s`,
		`validator: Issuer "https://id.example.com": URL is configured twice`,
		`validator: Issuer "": URL is empty`,
		`validator: Issuer "": Audience is empty`,
	} {
		begins := func(line string) bool { return strings.HasPrefix(line, want) }
		if !slices.ContainsFunc(lines, begins) {
			t.Errorf("no line begins %s", want)
		}
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "validator: ") {
			t.Errorf("a line does not say whose fault it is: %s", line)
		}
		if strings.Contains(line, "Config.Issuer:") || strings.Contains(line, "Config.Issuer is") {
			t.Errorf("a line blames a field that nobody set: %s", line)
		}
	}
}

// TestFaultsSayWhichIssuer: also where its URL may be a secret and is not shown.
func TestFaultsSayWhichIssuer(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	hidden, other := fine(), fine()
	hidden.URL, hidden.Audience, hidden.TrustDomain = secret, nil, "example.org"
	other.URL, other.TrustDomain = "auth0", "example.org"
	_, err := validator.New(validator.Config{Issuers: []validator.Issuer{fine(), hidden, other}})
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"validator: Issuers[1], [a value of 32 bytes]: Audience is empty",
		`validator: Issuer "auth0": TrustDomain is that of Issuers[1], [a value of 32 bytes], too`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

func TestNewAccepts(t *testing.T) {
	for name, change := range map[string]func(*validator.Config){
		"the least":           func(*validator.Config) {},
		"longest skew":        func(c *validator.Config) { c.ClockSkew = 5 * time.Minute },
		"none of everything":  func(c *validator.Config) { c.ClockSkew, c.CacheEntries, c.VerifyWait = -1, -1, -1 },
		"http on loopback":    issuer(func(i *validator.Issuer) { i.URL = "http://127.0.0.1:8080" }),
		"http on localhost":   issuer(func(i *validator.Issuer) { i.URL = "http://localhost:8080/realm" }),
		"http, dangerously":   issuer(func(i *validator.Issuer) { i.URL, i.DangerouslyAllowHTTP = "http://id.example.com", true }),
		"missing audience":    issuer(func(i *validator.Issuer) { i.Audience, i.DangerouslyAcceptMissingAudience = nil, true }),
		"introspection alone": issuer(func(i *validator.Issuer) { i.Introspection = fineIntrospection() }),
		"both proofs":         issuer(func(i *validator.Issuer) { i.Keys, i.Introspection = &jwks.Config{}, fineIntrospection() }),
		"a name that is no URL": issuer(func(i *validator.Issuer) {
			i.URL, i.Keys = "accounts.example.com", &jwks.Config{URL: "https://id.example.com/keys"}
		}),
		"own answers, and http for the rest": issuer(func(i *validator.Issuer) {
			i.URL, i.DangerouslyAllowHTTP, i.Introspection = "http://id.example.com", true, &introspection.Config{Introspector: reviewing{}}
		}),
		"own answers of no URL": issuer(func(i *validator.Issuer) {
			i.URL, i.Introspection = "accounts.example.com", &introspection.Config{Introspector: reviewing{}}
		}),
		"trust domains": func(c *validator.Config) {
			other := fine()
			other.URL, other.TrustDomain, c.Issuers[0].TrustDomain = "https://other.example.com", "127.0.0.1", "a-b_c.example.org"
			c.Issuers = append(c.Issuers, other)
		},
		"no name, and no claim but iss required elsewhere": func(c *validator.Config) {
			other := fine()
			other.URL, other.Profile, c.Issuers[0].DangerouslyAcceptMissingIssuer = "https://other.example.com", validator.RFC9068(), true
			c.Issuers = append(c.Issuers, other)
		},
		"introspection, dangerously": issuer(func(i *validator.Issuer) {
			i.URL, i.DangerouslyAllowHTTP, i.Introspection = "http://id.example.com", true, fineIntrospection()
		}),
		"one of several introspects": func(c *validator.Config) {
			c.Issuers = append(c.Issuers, validator.Issuer{URL: "https://b.example.com", Audience: []string{"api"}, Introspection: fineIntrospection()})
		},
		"a trailing slash makes a difference": func(c *validator.Config) {
			c.Issuers = append(c.Issuers, validator.Issuer{URL: "https://id.example.com/", Audience: []string{"api"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := validator.Config{Issuers: []validator.Issuer{fine()}}
			change(&cfg)
			v, err := validator.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			v.Close()
		})
	}
}

// refuseToAnswer fails the test at the first request.
type refuseToAnswer struct{ t *testing.T }

func (r refuseToAnswer) RoundTrip(req *http.Request) (*http.Response, error) {
	r.t.Errorf("request to %s", req.URL)
	return nil, errors.New("no")
}

func TestNewDoesNoIO(t *testing.T) {
	before := goleak.IgnoreCurrent()
	client := &http.Client{Transport: refuseToAnswer{t}}
	var issuers []validator.Issuer
	for n := range 100 {
		i := fine()
		i.URL = fmt.Sprintf("https://%d.example.com", n)
		i.Keys = &jwks.Config{HTTPClient: client}
		issuers = append(issuers, i)
	}
	issuers[0].Introspection = fineIntrospection()
	issuers[0].Introspection.HTTPClient = client
	v, err := validator.New(validator.Config{
		Issuers: issuers,
		Now: func() time.Time {
			t.Error("New asks what time it is")
			return time.Now()
		},
		Observer: observe.Observer{Event: func(_ context.Context, e *observe.Event) { t.Errorf("New tells of %+v", e) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := goleak.Find(before); err != nil {
		t.Errorf("New left something running: %v", err)
	}
	v.Close()
}

// TestNewCopiesItsConfig changes everything that can be reached through a
// Config after New, and sees the old one at work.
func TestNewCopiesItsConfig(t *testing.T) {
	iss := issuertest.New(t)
	set := published(t, map[string]string{"k": "ed25519-a"})
	profile := validator.RFC9068()
	cfg := validator.Config{Issuers: []validator.Issuer{{
		URL:           iss.URL(),
		Audience:      []string{issuertest.Audience},
		Algorithms:    []string{"EdDSA"},
		Profile:       profile,
		Keys:          &jwks.Config{Set: set, Algorithms: []string{"EdDSA"}},
		Introspection: introspectionAt(iss),
	}}}
	v, err := validator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()

	i := &cfg.Issuers[0]
	i.URL, i.Audience[0], i.Algorithms[0] = "https://evil.example", "https://evil.example", "RS256"
	profile.Types[0], profile.Require[3] = "evil", "evil"
	clear(set)
	i.Keys.Set, i.Keys.Algorithms[0] = nil, "RS256"
	*i.Introspection = introspection.Config{}
	cfg.Issuers[0] = validator.Issuer{}

	claims := goodClaims(iss, time.Now())
	raw := func() string {
		header := map[string]any{"alg": "EdDSA", "kid": "k", "typ": "at+jwt"}
		return iss.SignWith("ed25519-a", object(header), object(claims), "EdDSA")
	}
	wantOutcome(t, "ok")(v.Verify(t.Context(), raw()))
	wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Opaque(issuertest.Claims{})))
	claims["aud"] = "https://evil.example"
	wantOutcome(t, "aud")(v.Verify(t.Context(), raw()))
	claims["aud"], claims["sub"] = issuertest.Audience, nil
	wantOutcome(t, "claims")(v.Verify(t.Context(), raw()))
}

// TestDefaultsAreDocumented reads the doc comments of the knobs.
func TestDefaultsAreDocumented(t *testing.T) {
	for file, knobs := range map[string]map[string]string{
		"config.go": {
			"ClockSkew": "Default 30 s", "MaxTokenBytes": "Default 16 KiB", "CacheEntries": "Default 10,000",
			"VerifySlots": "Default 4 for each", "VerifyWait": "Default 1 s", "Now": "Default time.Now", "Observer": "Default: LogEvents(slog.Default())",
			"Algorithms": "Default RS256, PS256, ES256 and EdDSA", "Profile": "zero value is the plain form",
		},
		"../jwks/config.go": {
			"RefreshInterval": "15 minutes", "MinFetchInterval": "Default: 5 s", "MaxStale": "Default: 24 h", "RefreshWait": "Default: 1 s",
			"RequestTimeout": "Default: 5 s", "MaxResponseBytes": "Default: 1 MiB", "HTTPClient": "Default: a client of our own",
		},
		"../introspection/config.go": {
			"PositiveLifetime": "Default 30 s", "NegativeLifetime": "Default 10 s", "CacheEntries": "Default 10,000",
			"RequestTimeout": "Default 5 s", "MaxResponseBytes": "Default 64 KiB", "HTTPClient": "Default: a client of our own",
		},
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		comments := make(map[string]string)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if field, ok := n.(*ast.Field); ok && field.Doc != nil {
				for _, name := range field.Names {
					comments[name.Name] = strings.Join(strings.Fields(field.Doc.Text()), " ")
				}
			}
			return true
		})
		for knob, says := range knobs {
			if !strings.Contains(comments[knob], says) {
				t.Errorf("%s: the comment of %s does not say %q: %s", file, knob, says, comments[knob])
			}
		}
	}
}
