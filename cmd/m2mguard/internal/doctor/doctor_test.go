package doctor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/doctor"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// named is a file about one issuer.
func named(iss validator.Issuer) *config.File {
	f := new(config.File)
	f.Config.Issuers = []validator.Issuer{iss}
	return f
}

func at(iss *issuertest.Issuer) validator.Issuer {
	return validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}}
}

func asked(iss *issuertest.Issuer, secret string) validator.Issuer {
	i := at(iss)
	i.Introspection = &introspection.Config{Auth: introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(secret))}
	return i
}

// line finds what was said about one thing.
func line(lines []doctor.Line, what, found string) *doctor.Line {
	for i, l := range lines {
		if l.What == what && strings.Contains(l.Found, found) {
			return &lines[i]
		}
	}
	return nil
}

// expect compares one line, and holds every line to the form.
func expect(t *testing.T, lines []doctor.Line, verdict doctor.Verdict, what, found, do string) {
	t.Helper()
	l := line(lines, what, found)
	if l == nil || l.Verdict != verdict || !strings.Contains(l.Do, do) {
		t.Errorf("%s %q: got %+v, wanted %s and to do %q, in:\n%+v", what, found, l, verdict, do, lines)
	}
	for _, l := range lines {
		if (l.Verdict == doctor.Good) != (l.Do == "") || l.Found == "" || l.About == "" {
			t.Errorf("%+v: wanted what to do about it unless it is good", l)
		}
	}
}

func TestIssuer(t *testing.T) {
	slashed := func(iss *issuertest.Issuer) validator.Issuer { i := at(iss); i.URL += "/"; return i }
	skipped := func(iss *issuertest.Issuer) {
		iss.SetJWKS([]byte(`{"keys":[{"kid":"good","kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
			{"kid":"short","kty":"RSA","n":"AQAB","e":"AQAB","alg":"RS256"},{"kid":"coder","kty":"EC","use":"enc","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
			{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQ"}]}`), nil)
	}
	ahead := func(by time.Duration) func() time.Time {
		return func() time.Time { return time.Now().Add(-by) } // so that the issuer's clock is ahead
	}
	for name, test := range map[string]struct {
		prepare func(*issuertest.Issuer)
		issuer  func(*issuertest.Issuer) validator.Issuer
		now     func() time.Time
		verdict doctor.Verdict
		what    string
		found   string
		do      string
	}{
		"discovered":          {nil, at, nil, doctor.Good, "discovery", "/.well-known/openid-configuration answers after", ""},
		"keys":                {nil, at, nil, doctor.Good, "key set", "can be used", ""},
		"a key":               {skipped, at, nil, doctor.Good, "key", `kid "good", EC, P-256`, ""},
		"a short key":         {skipped, at, nil, doctor.Doubtful, "key", `kid "short", RSA, RS256 is skipped: `, "its tokens are refused"},
		"a key for others":    {skipped, at, nil, doctor.Good, "key", `kid "coder", EC, P-256 is passed over: `, ""},
		"a key without a kid": {skipped, at, nil, doctor.Doubtful, "key", "without a kid, oct is skipped: ", "its tokens are refused"},
		"no key that can be used": {func(iss *issuertest.Issuer) {
			iss.SetJWKS([]byte(`{"keys":[{"kid":"koblitz","kty":"EC","crv":"secp256k1","alg":"ES256K","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`), nil)
		}, at, nil, doctor.Bad, "key set", "ES256K", "list in algorithms"},
		"a fixed set": {nil, func(iss *issuertest.Issuer) validator.Issuer {
			i := at(iss)
			i.Keys = &jwks.Config{Set: []byte(`{"keys":[{"kid":"mine","kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`)}
			return i
		}, nil, doctor.Good, "key", `kid "mine"`, ""},
		"away":               {func(iss *issuertest.Issuer) { iss.SetFault(issuertest.JWKS, issuertest.ServerError()) }, at, nil, doctor.Bad, "key set", "status 500", "open the address"},
		"another's issuer":   {nil, slashed, nil, doctor.Bad, "key set", "issuer", "set url to \"http://127.0.0.1:"},
		"another's document": {nil, slashed, nil, doctor.Bad, "discovery", "/.well-known/openid-configuration names issuer \"http://127.0.0.1:", "set url to \"http://127.0.0.1:"},
		"another's keys": {nil, func(iss *issuertest.Issuer) validator.Issuer {
			i := at(iss)
			i.Keys = &jwks.Config{Issuer: iss.URL() + "/"}
			return i
		}, nil, doctor.Bad, "discovery", "names issuer", "set keys.issuer to \"http://127.0.0.1:"},
		"same clock":        {nil, at, nil, doctor.Good, "clock", "the issuer's is the same by its Date, 30s at most", ""},
		"clock ahead":       {nil, at, ahead(20 * time.Second), doctor.Doubtful, "clock", "ahead of ours", "NTP"},
		"clock far ahead":   {nil, at, ahead(5 * time.Minute), doctor.Bad, "clock", "ahead of ours", "NTP"},
		"clock behind":      {nil, at, ahead(-time.Hour), doctor.Bad, "clock", "behind ours", "NTP"},
		"credentials":       {nil, func(iss *issuertest.Issuer) validator.Issuer { return asked(iss, issuertest.ClientSecret) }, nil, doctor.Good, "introspection", "takes the credentials", ""},
		"wrong credentials": {nil, func(iss *issuertest.Issuer) validator.Issuer { return asked(iss, "another") }, nil, doctor.Bad, "introspection", "401", "introspection.auth"},
		"no endpoint":       {func(iss *issuertest.Issuer) { iss.SetFault(issuertest.Introspection, issuertest.Down()) }, func(iss *issuertest.Issuer) validator.Issuer { return asked(iss, issuertest.ClientSecret) }, nil, doctor.Bad, "introspection", "", "introspection.endpoint"},
		"yes to everything": {func(iss *issuertest.Issuer) {
			iss.SetFault(issuertest.Introspection, issuertest.Respond(200, http.Header{"Content-Type": {"application/json"}}, `{"active":true,"aud":"`+issuertest.Audience+`","iss":"`+iss.URL()+`","exp":9999999999,"client_id":"x","sub":"x"}`))
		}, func(iss *issuertest.Issuer) validator.Issuer { return asked(iss, issuertest.ClientSecret) }, nil, doctor.Bad, "introspection", "calls a made-up text an active token", "must not be asked"},
		"an opt-out": {nil, func(iss *issuertest.Issuer) validator.Issuer { i := at(iss); i.DangerouslyAllowHTTP = true; return i }, nil, doctor.Doubtful, "opt-out", "DangerouslyAllowHTTP", "leave it out"},
		"an opt-out of its keys": {nil, func(iss *issuertest.Issuer) validator.Issuer {
			i := at(iss)
			i.Keys = &jwks.Config{DangerouslyAllowHTTP: true}
			return i
		}, nil, doctor.Doubtful, "opt-out", "issuers[0].keys.dangerouslyAllowHTTP is set", "go doc jwks.Config.DangerouslyAllowHTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			iss := issuertest.New(t)
			if test.prepare != nil {
				test.prepare(iss)
			}
			lines := doctor.Examine(t.Context(), named(test.issuer(iss)), doctor.Options{Now: test.now})
			expect(t, lines, test.verdict, test.what, test.found, test.do)
			if l := line(lines, "discovery", "answers after"); l != nil && test.what == "discovery" && test.verdict == doctor.Bad {
				t.Errorf("%+v, of a document that names another issuer", l)
			}
		})
	}
}

// api is an API of ours, behind a proxy that changes requests.
func api(t *testing.T, iss *issuertest.Issuer, url string, proxy func(http.Handler) http.Handler) *config.File {
	t.Helper()
	cfg := validator.Config{Issuers: []validator.Issuer{at(iss)}, DPoP: new(dpop.Config)}
	v, err := validator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	mux := http.NewServeMux()
	server := httptest.NewServer(proxy(mux))
	t.Cleanup(server.Close)
	if url == "" {
		url = server.URL
	}
	auth := httpauth.New(v, &httpauth.Config{PublicURL: []string{url}})
	auth.Handle(mux, "GET /orders", scopes.All("orders:read"), http.NotFoundHandler())
	mux.HandleFunc("GET /open", func(http.ResponseWriter, *http.Request) {})
	auth.MountMetadata(mux)
	f := named(at(iss))
	f.API.PublicURL, f.API.Probe = []string{server.URL}, "/orders"
	return f
}

func TestAPI(t *testing.T) {
	as := func(h http.Handler) http.Handler { return h }
	without := func(field string) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Header.Del(field)
				h.ServeHTTP(w, r)
			})
		}
	}
	answering := func(status int) func(http.Handler) http.Handler { // to whoever shows credentials
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					w.WriteHeader(status)
					return
				}
				h.ServeHTTP(w, r)
			})
		}
	}
	unchallenged := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	}
	redirecting := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "" {
				http.Redirect(w, r, "?moved", http.StatusFound)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
	endless := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"resource":"x"`+strings.Repeat(" ", 1<<19)+`}`)
		})
	}
	own := func(h http.Handler) http.Handler { // a proxy that writes a challenge of its own
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, r)
			for name := range answer.Header() {
				w.Header().Set(name, answer.Header().Get(name))
			}
			if answer.Code == http.StatusUnauthorized && r.Header.Get("Authorization") == "" {
				w.Header().Set("WWW-Authenticate", `Bearer realm="gateway"`)
			}
			w.WriteHeader(answer.Code)
			_, _ = w.Write(answer.Body.Bytes())
		})
	}
	bearer := func(http.Handler) http.Handler { // an API without DPoP
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"resource":"http://%s","authorization_servers":[]}`, r.Host)
		})
	}
	unmounted := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/.well-known/") {
				http.NotFound(w, r)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
	for name, test := range map[string]struct {
		url     string
		proxy   func(http.Handler) http.Handler
		change  func(*config.File)
		verdict doctor.Verdict
		what    string
		found   string
		do      string
	}{
		"metadata":                 {"", as, nil, doctor.Good, "metadata", "and names the issuers", ""},
		"no metadata":              {"", unmounted, nil, doctor.Doubtful, "metadata", "answers 404", "MountMetadata"},
		"another URL":              {"https://api.example.com", as, nil, doctor.Bad, "metadata", "calls itself", "PublicURL"},
		"another prefix":           {"", as, func(f *config.File) { f.API.PublicPathPrefix = "/x" }, doctor.Doubtful, "metadata", "answers 404", "MountMetadata"},
		"another issuer":           {"", as, func(f *config.File) { f.Config.Issuers[0].URL += "/x" }, doctor.Bad, "metadata", "does not name the issuer", "configured by this file"},
		"no proofs there":          {"", bearer, func(f *config.File) { f.DPoP = new(dpop.Config) }, doctor.Bad, "metadata", "takes no proofs", "validator.Config.DPoP"},
		"proofs without a URL":     {"", as, func(f *config.File) { f.DPoP, f.API.PublicURL = new(dpop.Config), nil }, doctor.Bad, "dpop", "api.publicURL is empty", "api.publicURL"},
		"nobody there":             {"", as, func(f *config.File) { f.API.PublicURL = []string{"http://127.0.0.1:1"} }, doctor.Bad, "metadata", "refused", "public URL leads"},
		"http":                     {"", as, nil, doctor.Doubtful, "public URL", "is http", "https"},
		"guarded":                  {"", as, nil, doctor.Good, "protected route", "answers 401", ""},
		"Authorization arrives":    {"", as, nil, doctor.Good, "Authorization", "arrives", ""},
		"Authorization taken away": {"", without("Authorization"), nil, doctor.Bad, "Authorization", "does not arrive", "CGIPassAuth"},
		"each challenge":           {"", as, func(f *config.File) { f.DPoP = new(dpop.Config) }, doctor.Good, "proxy headers", "each challenge", ""},
		"one challenge alone":      {"", own, func(f *config.File) { f.DPoP = new(dpop.Config) }, doctor.Bad, "proxy headers", "for DPoP does not arrive at clients", "write none of its own"},
		"nobody is believed":       {"", as, nil, doctor.Good, "proxy headers", "none is believed", ""},
		"503":                      {"", answering(503), nil, doctor.Bad, "Authorization", "answers 503 to a made-up text", "where the API runs"},
		"200":                      {"", answering(200), nil, doctor.Bad, "Authorization", "answers 200 to a made-up text", "before the API"},
		"no challenge":             {"", unchallenged, nil, doctor.Doubtful, "protected route", "without a challenge", "WWW-Authenticate"},
		"redirects":                {"", redirecting, nil, doctor.Doubtful, "metadata", "answers 302", "MountMetadata"},
		"an endless answer":        {"", endless, nil, doctor.Bad, "metadata", "no JSON", "something else"},
		"a large network of IPv6":  {"", as, field("fd00::/32"), doctor.Doubtful, "api.clientCertificate", "is large", "own networks"},
		"an open route":            {"", as, func(f *config.File) { f.API.Probe = "/open" }, doctor.Bad, "protected route", "answers 200", "auth.Require"},
		"no such route":            {"", as, func(f *config.File) { f.API.Probe = "/none" }, doctor.Doubtful, "protected route", "answers 404", "api.probe"},
		"everybody is a proxy":     {"", as, field("0.0.0.0/0"), doctor.Bad, "api.clientCertificate", "everybody", "name the networks"},
		"a large network":          {"", as, field("10.0.0.0/8"), doctor.Doubtful, "api.clientCertificate", "is large", "own networks"},
		"no network":               {"", as, field("proxy"), doctor.Bad, "api.clientCertificate", "is no network", "10.0.0.0/24"},
		"no proxies":               {"", as, field(), doctor.Bad, "api.clientCertificate", "no peers", "name"},
		"proxies":                  {"", as, field("10.0.0.0/24", "fd00::/64"), doctor.Good, "api.clientCertificate", "is believed from", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := api(t, issuertest.New(t), test.url, test.proxy)
			if test.change != nil {
				test.change(f)
			}
			expect(t, doctor.Examine(t.Context(), f, doctor.Options{}), test.verdict, test.what, test.found, test.do)
		})
	}
}

// TestManyKeys: of a set that is no issuer's, the first are told, and of keys under one
// name those that another one hides.
func TestManyKeys(t *testing.T) {
	const one = `{"kid":"%s","kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`
	const two = `{"kid":"same","kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	iss := issuertest.New(t)
	iss.SetJWKS([]byte(`{"keys":[`+fmt.Sprintf(one, "same")+","+two+`,{"kid":"short","kty":"RSA","n":"AQAB","e":"AQAB"}]}`), nil)
	lines := doctor.Examine(t.Context(), named(at(iss)), doctor.Options{})
	expect(t, lines, doctor.Doubtful, "key", `kid "same" is skipped: `, "its tokens are refused")
	told := 0
	for _, l := range lines {
		if strings.Contains(l.Found, `kid "short"`) {
			told++
		}
	}
	if told != 1 {
		t.Errorf("a key that cannot be used is told %d times", told)
	}
	var set []string
	for n := range 60 {
		set = append(set, fmt.Sprintf(one, fmt.Sprint(n)))
	}
	iss.SetJWKS([]byte(`{"keys":[`+strings.Join(set, ",")+`]}`), nil)
	expect(t, doctor.Examine(t.Context(), named(at(iss)), doctor.Options{}), doctor.Doubtful, "keys", "and 10 more", "a handful")
}

// examineWithoutList examines a file whose list of revocations nothing fills, and does not
// wait for one.
func examineWithoutList(t *testing.T, f *config.File) []doctor.Line {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	return doctor.Examine(ctx, f, doctor.Options{Waiting: func(what string) func() {
		if strings.Contains(what, "revocations") {
			cancel() // nothing will come
		}
		return func() {}
	}})
}

// TestFilesThatAreNotThere: a name that leads nowhere may be a secret in the place of one.
// The key is named with its line, where the program's file has it.
func TestFilesThatAreNotThere(t *testing.T) {
	const misplaced = "correct-horse-battery-staple"
	f, err := config.Read(strings.NewReader("issuers:\n- url: https://id.example.com\n  audience: [x]\n  keys:\n    file: " + misplaced + "\nrevocations: {file: " + misplaced + "}\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Revocations.Close()
	lines := examineWithoutList(t, f)
	expect(t, lines, doctor.Bad, "key set", "issuers[0].keys.file (its name, of 28 bytes, is not shown since it led nowhere): no such file", "line 5: issuers[0].keys.file must name a file that is there")
	expect(t, lines, doctor.Bad, "list", "", "revocations.file")
	if text := fmt.Sprint(lines); strings.Contains(text, misplaced) {
		t.Errorf("it is quoted: %s", text)
	}
}

// TestNoPublicURL: what has a password or a key is neither asked nor shown.
func TestNoPublicURL(t *testing.T) {
	for _, url := range []string{"https://u:secret@127.0.0.1:1", "https://127.0.0.1:1?key=secret", "https://127.0.0.1:1/secret", "https://u:secret", "secret"} {
		f, err := config.Read(strings.NewReader("issuers:\n- url: https://id.example.com\n  audience: [x]\n  keys: {file: none}\napi:\n  publicURL:\n  - '" + url + "'\n"))
		if err != nil {
			t.Fatal(err)
		}
		lines := doctor.Examine(t.Context(), f, doctor.Options{})
		expect(t, lines, doctor.Bad, "public URL", "not shown", "line 7: api.publicURL[0] must be scheme and host alone")
		if text := fmt.Sprint(lines); strings.Contains(text, "secret") {
			t.Errorf("%s is shown: %s", url, text)
		}
	}
}

// TestListOfNoFile: the fault is told by the key of the program's file.
func TestListOfNoFile(t *testing.T) {
	f, err := config.Read(strings.NewReader("issuers:\n- url: https://id.example.com\n  audience: [x]\nrevocations: {file: correct-horse}\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = f.WaitForRevocations(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the file of revocations.file (its name, of 13 bytes, is not shown") {
		t.Error(err)
	}
}

// TestListThatIsNotThere is no fault of an issuer's.
func TestListThatIsNotThere(t *testing.T) {
	list, err := revocation.New(revocation.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	f := named(at(issuertest.New(t)))
	f.Revocations = list
	lines := examineWithoutList(t, f)
	expect(t, lines, doctor.Good, "key set", "can be used", "")
	expect(t, lines, doctor.Bad, "list", "", "revocations.file")
}

// TestUnknownRoot: what a company's TLS inspection looks like.
func TestUnknownRoot(t *testing.T) {
	lines := doctor.Examine(t.Context(), named(at(issuertest.NewTLS(t))), doctor.Options{})
	expect(t, lines, doctor.Bad, "key set", "certificate", "certificate must be right")
}

func field(peers ...string) func(*config.File) {
	return func(f *config.File) {
		f.API.ClientCertificate = &config.ProxyField{Field: "Client-Cert", Peers: peers}
	}
}

func TestRevocations(t *testing.T) {
	there := filepath.Join(t.TempDir(), "revocations.json")
	if err := os.WriteFile(there, []byte(`{"m2mguard_revocations":1,"sequence":1,"entries":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		file    string
		verdict doctor.Verdict
		do      string
	}{
		"there": {there, doctor.Good, ""},
		"none":  {there + "x", doctor.Bad, "revocations.file"},
	} {
		synctest.Test(t, func(t *testing.T) { // with time that passes at once
			list, err := revocation.New(revocation.Config{File: test.file})
			if err != nil {
				t.Fatal(err)
			}
			defer list.Close()
			f := new(config.File)
			f.Revocations = list
			lines := doctor.Examine(t.Context(), f, doctor.Options{})
			t.Log(name)
			expect(t, lines, test.verdict, "list", "", test.do)
		})
	}
}

// TestWorst also reads lines back from JSON, as a script would.
func TestWorst(t *testing.T) {
	for want, text := range map[doctor.Verdict]string{
		doctor.Good:     `[{"verdict":"good"}]`,
		doctor.Doubtful: `[{"verdict":"good"},{"verdict":"doubtful"},{"verdict":"good"}]`,
		doctor.Bad:      `[{"verdict":"doubtful"},{"verdict":"bad"},{"verdict":"doubtful"}]`,
	} {
		var lines []doctor.Line
		if err := json.Unmarshal([]byte(text), &lines); err != nil {
			t.Fatal(err)
		}
		if got := doctor.Worst(lines); got != want {
			t.Errorf("%s: %s, wanted %s", text, got, want)
		}
	}
}
