package jwks_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
)

func TestConfigFaults(t *testing.T) {
	const url = "https://id.example.com/keys"
	good := set(ed("a"))
	none := func(context.Context) ([]byte, error) { return nil, nil }
	cases := map[string]struct {
		config jwks.Config
		want   []string // parts of the error, none: it is good
	}{
		"issuer":                       {jwks.Config{Issuer: "https://id.example.com"}, nil},
		"URL":                          {jwks.Config{URL: url}, nil},
		"set":                          {jwks.Config{Set: good}, nil},
		"issuer names a URL's set":     {jwks.Config{Issuer: "anything", URL: url}, nil},
		"issuer names a fixed set":     {jwks.Config{Issuer: "anything", Set: good}, nil},
		"file":                         {jwks.Config{File: "/nobody/has/this"}, nil}, // New reads no file
		"function":                     {jwks.Config{Fetch: none}, nil},
		"issuer names a file's set":    {jwks.Config{Issuer: "anything", File: "keys.json"}, nil},
		"issuer names a function's":    {jwks.Config{Issuer: "anything", Fetch: none}, nil},
		"a file, MaxStale of seconds":  {jwks.Config{File: "keys.json", MaxStale: 10 * time.Second}, nil},
		"loopback":                     {jwks.Config{URL: "http://127.0.0.1:8080/keys"}, nil},
		"loopback, v6":                 {jwks.Config{URL: "http://[::1]/keys"}, nil},
		"localhost":                    {jwks.Config{Issuer: "http://localhost:8080"}, nil},
		"http, said to be dangerous":   {jwks.Config{URL: "http://id.example.com/keys", DangerouslyAllowHTTP: true}, nil},
		"all algorithms":               {jwks.Config{URL: url, Algorithms: strings.Fields("RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519")}, nil},
		"no algorithms is the default": {jwks.Config{URL: url, Algorithms: []string{}}, nil},
		"milliseconds":                 {jwks.Config{URL: url, RefreshInterval: time.Millisecond, MinFetchInterval: time.Millisecond, MaxStale: 2 * time.Millisecond, RefreshWait: time.Millisecond, RequestTimeout: time.Millisecond, MaxResponseBytes: 1}, nil},

		"nothing":                    {jwks.Config{}, []string{"jwks: Config.Issuer is empty, wanted it or URL, Set, File or Fetch"}},
		"URL and set":                {jwks.Config{URL: url, Set: good}, []string{"jwks: Config.URL and Config.Set are given, wanted at most one of them"}},
		"file and function":          {jwks.Config{File: "keys.json", Fetch: none}, []string{"jwks: Config.File and Config.Fetch are given"}},
		"all sources":                {jwks.Config{URL: url, Set: good, File: "keys.json", Fetch: none}, []string{"jwks: Config.URL and Config.Set and Config.File and Config.Fetch are given"}},
		"a file, MaxStale too short": {jwks.Config{File: "keys.json", MaxStale: 9 * time.Second}, []string{"jwks: Config.MaxStale is 9s, wanted at least twice RefreshInterval (5s)"}},
		"http issuer":                {jwks.Config{Issuer: "http://id.example.com"}, []string{"jwks: Config.Issuer: ", "loopback"}},
		"http URL":                   {jwks.Config{URL: "http://id.example.com"}, []string{"jwks: Config.URL: ", "loopback"}},
		"issuer with a query":        {jwks.Config{Issuer: "https://id.example.com/a?tenant=b"}, []string{`jwks: Config.Issuer: "https://id.example.com/a" has a query`}},
		"relative":                   {jwks.Config{Issuer: "id.example.com"}, []string{"jwks: Config.Issuer: ", "absolute"}},
		"user information":           {jwks.Config{URL: "https://user:secret@id.example.com/"}, []string{"jwks: Config.URL: ", "user information"}},
		"HMAC":                       {jwks.Config{URL: url, Algorithms: []string{"RS256", "HS256"}}, []string{`jwks: Config.Algorithms has "HS256"`}},
		"keys for encryption":        {jwks.Config{URL: url, Use: "enc"}, []string{`jwks: Config.Use is "enc", which no key that verifies has`}},
		"a long name":                {jwks.Config{URL: url, Algorithms: []string{strings.Repeat("x", 9000)}}, []string{"bytes"}},
		"none":                       {jwks.Config{URL: url, Algorithms: []string{"none"}}, []string{`jwks: Config.Algorithms has "none"`}},
		"refresh interval too short": {jwks.Config{URL: url, RefreshInterval: time.Microsecond}, []string{"jwks: Config.RefreshInterval is 1µs, wanted at least 1ms"}},
		"refresh interval negative":  {jwks.Config{URL: url, RefreshInterval: -1}, []string{"jwks: Config.RefreshInterval is -1ns"}},
		"refresh interval too long":  {jwks.Config{URL: url, RefreshInterval: 13 * time.Hour}, []string{"jwks: Config.MaxStale is 24h0m0s, wanted at least twice RefreshInterval (13h0m0s)"}},
		"least interval negative":    {jwks.Config{URL: url, MinFetchInterval: -1}, []string{"jwks: Config.MinFetchInterval is -1ns, wanted at least 1ms"}},
		"MaxStale too short":         {jwks.Config{URL: url, MaxStale: time.Minute}, []string{"jwks: Config.MaxStale is 1m0s, wanted at least twice RefreshInterval (15m0s)"}},
		"MaxStale negative":          {jwks.Config{URL: url, MaxStale: -1}, []string{"jwks: Config.MaxStale is -1ns"}},
		"refresh wait negative":      {jwks.Config{URL: url, RefreshWait: -1}, []string{"jwks: Config.RefreshWait is -1ns, wanted at least 1ms"}},
		"time-out negative":          {jwks.Config{URL: url, RequestTimeout: -1}, []string{"jwks: Config.RequestTimeout is -1ns, wanted at least 1ms"}},
		"size negative":              {jwks.Config{URL: url, MaxResponseBytes: -1}, []string{"jwks: Config.MaxResponseBytes is -1, wanted at least 1"}},
		"all at once": {
			jwks.Config{URL: "x", Set: []byte("{"), Algorithms: []string{"none"}, RefreshInterval: -1, MinFetchInterval: -1, MaxStale: -1, RefreshWait: -1, RequestTimeout: -1, MaxResponseBytes: -1},
			[]string{"URL and Config.Set", "Config.URL: ", "Algorithms", "RefreshInterval is", "MinFetchInterval", "MaxStale", "RefreshWait", "RequestTimeout", "MaxResponseBytes", "Config.Set: not a strict JSON"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := jwks.New(c.config)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				s.Close()
				return
			}
			if s != nil || err == nil {
				t.Fatal("New took it")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error holds a secret: %v", err)
			}
			if _, joined := err.(interface{ Unwrap() []error }); !joined {
				t.Errorf("%T is not a joined error", err)
			}
		})
	}
}

func TestNewCopiesItsConfig(t *testing.T) {
	algorithms, text, k := []string{"EdDSA"}, []byte(nil), ed("a")
	text = set(k)
	s, err := jwks.New(jwks.Config{Set: text, Algorithms: algorithms})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	algorithms[0] = "RS256"
	clear(text)
	wantKey(t, s, k)
}

func TestOwnClientIsCopied(t *testing.T) {
	own := &http.Client{Transport: &issuer{}}
	s, err := jwks.New(jwks.Config{URL: "https://id.example.com/keys", HTTPClient: own})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if own.CheckRedirect != nil || own.Timeout != 0 {
		t.Error("the caller's client was changed")
	}
}
