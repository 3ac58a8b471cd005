//go:build interop

package interop_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/validator"
)

// libraries runs the client libraries of client/libraries.mjs.
type libraries struct{ *program }

func startLibraries(t *testing.T) *libraries {
	t.Helper()
	p, err := startProgram(struct{}{}, new(struct{}), "node", "client/client.mjs")
	if err != nil {
		t.Fatalf("the client libraries did not start: %v", err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	return &libraries{p}
}

// order is a command of client/client.mjs.
type order struct {
	Command    string `json:"command"`
	Session    int    `json:"session"`
	Parameters *grant `json:"parameters,omitzero"`
	Token      string `json:"token,omitzero"`
	Method     string `json:"method,omitzero"`
	URL        string `json:"url,omitzero"`
	Body       string `json:"body,omitzero"`
	account
}

// account is a client of an authorization server, and the library that it uses.
// Without a secret it is known by its certificate, and without an algorithm it makes
// no proofs.
type account struct {
	Library string      `json:"library,omitzero"`
	Issuer  string      `json:"issuer,omitzero"`
	ID      string      `json:"id,omitzero"`
	Secret  string      `json:"secret,omitzero"`
	Alg     string      `json:"alg,omitzero"`
	TLS     *tlsOptions `json:"tls,omitzero"`
}

func (l *libraries) do(t *testing.T, o order, out any) {
	t.Helper()
	var reply jsontext.Value
	if err := l.exchange(o, &reply); err != nil {
		t.Fatalf("%s: %v", o.Command, err)
	}
	var failed struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(reply, &failed); err != nil || failed.Error != "" {
		t.Fatalf("%s by %s: %s %v", o.Command, o.Library, failed.Error, err)
	}
	if err := json.Unmarshal(reply, out); err != nil {
		t.Fatal(err)
	}
}

// session is an account with a key of its own for proofs.
type session struct {
	libraries *libraries
	number    int
}

func (l *libraries) connect(t *testing.T, a account) *session {
	t.Helper()
	var made struct {
		Session int `json:"session"`
	}
	l.do(t, order{Command: "connect", account: a}, &made)
	return &session{l, made.Session}
}

// token gets a token, and insists on its type.
func (s *session) token(t *testing.T, kind string, g grant) string {
	t.Helper()
	token, _ := s.tokenBy(t, kind, g)
	return token
}

// tokenBy is token with how many requests that took.
func (s *session) tokenBy(t *testing.T, kind string, g grant) (token string, requests int) {
	t.Helper()
	var got struct {
		Token    string `json:"token"`
		Type     string `json:"type"`
		Requests int    `json:"requests"`
	}
	s.libraries.do(t, order{Command: "token", Session: s.number, Parameters: &g}, &got)
	if got.Token == "" || !strings.EqualFold(got.Type, kind) { // RFC 6749 §5.1
		t.Fatalf("a token of type %q: %v, wanted %q", got.Type, got.Token != "", kind)
	}
	return got.Token, got.Requests
}

// ask has the library ask an API.
func (s *session) ask(t *testing.T, a *api, token, method, target, body string) verdict {
	t.Helper()
	tallyOf(t).Add(1)
	a.journal.sent(token)
	before := a.requests.Load()
	var got struct {
		Status    int    `json:"status"`
		Challenge string `json:"challenge"`
		Body      string `json:"body"`
	}
	s.libraries.do(t, order{Command: "request", Session: s.number, Token: token, Method: method, URL: a.url + target, Body: body}, &got)
	return judge(t, got.Status, got.Challenge, []byte(got.Body), int(a.requests.Load()-before))
}

// stolen is a request of a library that was taken on its way.
type stolen struct {
	Authorization string `json:"authorization"`
	Proof         string `json:"proof"`
}

func (s *session) take(t *testing.T, a *api, token, method, target string) stolen {
	t.Helper()
	var got stolen
	s.libraries.do(t, order{Command: "take", Session: s.number, Token: token, Method: method, URL: a.url + target}, &got)
	return got
}

// sent sends one by hc to where the thief likes.
func (s stolen) sent(t *testing.T, hc *http.Client, a *api, method, target string) verdict {
	t.Helper()
	tallyOf(t).Add(1)
	req, err := http.NewRequestWithContext(t.Context(), method, a.url+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", s.Authorization)
	if s.Proof != "" {
		req.Header.Set("DPoP", s.Proof)
	}
	res, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return judge(t, res.StatusCode, res.Header.Get("WWW-Authenticate"), body, 1)
}

// verdict is what came of a request.
type verdict struct {
	Status        int
	Scheme, Error string // of the first challenge
	Requests      int    // that it took
	Handled       handled
}

// through is the verdict on a request that reached the handler.
func through(requests int, h handled) verdict {
	return verdict{Status: http.StatusOK, Requests: requests, Handled: h}
}

// refusal is the verdict on one that did not.
func refusal(scheme, code string) verdict {
	return verdict{Status: http.StatusUnauthorized, Scheme: scheme, Error: code, Requests: 1}
}

var challengeForm = regexp.MustCompile(`^(\S+) realm="api"(?:, error="([^"]*)")?`)

func judge(t *testing.T, status int, challenge string, body []byte, requests int) verdict {
	t.Helper()
	v := verdict{Status: status, Requests: requests}
	if found := challengeForm.FindStringSubmatch(challenge); found != nil {
		v.Scheme, v.Error = found[1], found[2]
	}
	if err := json.Unmarshal(body, &v.Handled); err != nil {
		t.Fatalf("status %d: %v: %s", status, err, body)
	}
	return v
}

func wantVerdict(t *testing.T, what string, want, got verdict) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// boundAPIs are the APIs for bound tokens of both kinds, each called by its own URL.
func boundAPIs(t *testing.T, issuer validator.Issuer, nonces bool, start func(*httptest.Server)) []*api {
	t.Helper()
	cfg := one(issuer)
	cfg.DPoP = &dpop.Config{}
	if nonces {
		sealed, err := dpop.NewSealed(dpop.SealedConfig{})
		if err != nil {
			t.Fatal(err)
		}
		cfg.DPoP.Nonces = sealed
	}
	return startAPIs(t, cfg, start, func(url string) *httpauth.Config {
		return &httpauth.Config{PublicURL: []string{url}}
	})
}
