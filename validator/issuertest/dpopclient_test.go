package issuertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// answerer is a transport that answers by itself, and remembers what it was asked.
type answerer struct {
	answer func(n int, r *http.Request) *http.Response // n counts from 1
	asked  []*http.Request
	bodies []string
}

func (a *answerer) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(data)
		_ = r.Body.Close()
	}
	a.asked, a.bodies = append(a.asked, r), append(a.bodies, body)
	resp := a.answer(len(a.asked), r)
	if resp == nil {
		return nil, errors.New("no answer")
	}
	resp.Request = r
	return resp, nil
}

// claims returns those of the proofs that were sent.
func (a *answerer) claims(t *testing.T, name string) []any {
	t.Helper()
	var list []any
	for _, r := range a.asked {
		if len(r.Header.Values("DPoP")) != 1 {
			t.Fatalf("%d proofs", len(r.Header.Values("DPoP")))
		}
		list = append(list, parse(t, r.Header.Get("DPoP")).claims[name])
	}
	return list
}

func respond(status int, body string, header ...string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: make(http.Header), Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Add(header[i], header[i+1])
	}
	return resp
}

func request(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// roundTrip returns the status and the body of an answer.
func roundTrip(t *testing.T, c http.RoundTripper, r *http.Request) (int, string) {
	t.Helper()
	resp, err := c.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

const wanted = `DPoP error="use_dpop_nonce", algs="ES256"`

// The proof is for the request that is sent: its method, its URL, its token and
// the time. The caller's request stays as it was.
func TestDPoPClientProves(t *testing.T) {
	key := testdata.PrivateKey("rsa-2048-a")
	tests := []struct {
		name, method, url, host, authorization string
		want                                   map[string]any
	}{
		{"no token", "POST", "https://id.example.test/token?a=b", "", "Basic YTpi", map[string]any{"htm": "POST", "htu": "https://id.example.test/token"}},
		{"token", "GET", "https://api.example.test/a%2Fb/?c#d", "", "DPoP " + tokenOf9449, map[string]any{"htm": "GET", "htu": "https://api.example.test/a%2Fb/", "ath": athOf9449}},
		{"scheme in lower case", "GET", "https://api.example.test/", "", "dpop  " + tokenOf9449, map[string]any{"htm": "GET", "htu": "https://api.example.test/", "ath": athOf9449}},
		{"bearer token", "GET", "https://api.example.test", "", "Bearer " + tokenOf9449, map[string]any{"htm": "GET", "htu": "https://api.example.test/"}},
		{"other host", "GET", "http://127.0.0.1:8080/a", "api.example.test", "", map[string]any{"htm": "GET", "htu": "http://api.example.test/a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := &answerer{answer: func(int, *http.Request) *http.Response { return respond(200, "") }}
			client := issuertest.NewDPoPClient(key, base)
			client.Now, client.Algorithm = func() time.Time { return fixed }, "RS256"
			r := request(t, tt.method, tt.url, "body")
			r.Header.Set("Authorization", tt.authorization)
			if tt.host != "" {
				r.Host = tt.host
			}
			before := r.Header.Clone()
			roundTrip(t, client, r)
			if diff := cmp.Diff(before, r.Header); diff != "" {
				t.Errorf("the caller's header changed: %s", diff)
			}
			if base.asked[0].Context() != r.Context() {
				t.Error("the context is another one")
			}
			proof := base.asked[0].Header.Get("DPoP")
			got := parse(t, proof)
			if got.header["alg"] != "RS256" || !verifiesByItself(t, proof) {
				t.Errorf("the signature by %v does not verify", got.header["alg"])
			}
			delete(got.claims, "jti")
			tt.want["iat"] = 1.8e9
			if diff := cmp.Diff(tt.want, got.claims); diff != "" {
				t.Error(diff)
			}
			if base.asked[0].Header.Get("Authorization") != tt.authorization || base.bodies[0] != "body" {
				t.Error("the request is another one")
			}
		})
	}
}

// A request that was refused for its nonce is sent once more, with a new proof and
// the same body; no other is.
func TestDPoPClientTriesOnceMore(t *testing.T) {
	refusal := `{"error":"use_dpop_nonce"}`
	long := `{"error":"use_dpop_nonce","more":"` + strings.Repeat("x", 100<<10) + `"}`
	tests := []struct {
		name   string
		first  *http.Response
		replay bool // the body can be had again
		again  bool
		body   string // that the caller reads if it is not sent again
	}{
		{"resource server", respond(401, "", "DPoP-Nonce", "n", "WWW-Authenticate", wanted), true, true, ""},
		{"resource server, second challenge", respond(401, "", "DPoP-Nonce", "n", "WWW-Authenticate", "Bearer", "WWW-Authenticate", wanted), true, true, ""},
		{"token endpoint", respond(400, refusal, "DPoP-Nonce", "n"), true, true, ""},

		{"no body again", respond(401, "why", "DPoP-Nonce", "n", "WWW-Authenticate", wanted), false, false, "why"},
		{"no nonce", respond(400, refusal), true, false, refusal},
		{"other error", respond(400, `{"error":"invalid_dpop_proof"}`, "DPoP-Nonce", "n"), true, false, `{"error":"invalid_dpop_proof"}`},
		{"no JSON", respond(400, "use_dpop_nonce", "DPoP-Nonce", "n"), true, false, "use_dpop_nonce"},
		{"other challenge", respond(401, "", "DPoP-Nonce", "n", "WWW-Authenticate", `DPoP error="invalid_token"`), true, false, ""},
		{"other status", respond(403, refusal, "DPoP-Nonce", "n", "WWW-Authenticate", wanted), true, false, refusal},
		{"success", respond(200, refusal, "DPoP-Nonce", "n"), true, false, refusal},
		{"too long to be one", respond(400, long, "DPoP-Nonce", "n"), true, false, long},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := &answerer{answer: func(n int, _ *http.Request) *http.Response {
				if n == 1 {
					return tt.first
				}
				return respond(200, "done")
			}}
			r := request(t, "POST", "https://a.example.test/x", "body")
			if !tt.replay {
				r.GetBody = nil
			}
			status, body := roundTrip(t, issuertest.NewDPoPClient(testdata.PrivateKey("p256-a"), base), r)
			if !tt.again {
				if len(base.asked) != 1 || status != tt.first.StatusCode || body != tt.body {
					t.Errorf("sent %d times, answer %d of %d bytes", len(base.asked), status, len(body))
				}
				return
			}
			if len(base.asked) != 2 || status != 200 || body != "done" || !slices.Equal(base.bodies, []string{"body", "body"}) {
				t.Fatalf("sent %d times with bodies %q, answer %d %q", len(base.asked), base.bodies, status, body)
			}
			if diff := cmp.Diff([]any{nil, "n"}, base.claims(t, "nonce")); diff != "" {
				t.Error(diff)
			}
			if ids := base.claims(t, "jti"); ids[0] == ids[1] {
				t.Error("one proof was sent twice")
			}
		})
	}
}

func TestDPoPClientTriesOnceMoreWithoutBody(t *testing.T) {
	for name, body := range map[string]io.ReadCloser{"nil": nil, "NoBody": http.NoBody} {
		base := &answerer{answer: func(n int, _ *http.Request) *http.Response {
			if n == 1 {
				return respond(401, "", "DPoP-Nonce", "n", "WWW-Authenticate", wanted)
			}
			return respond(200, "")
		}}
		r := request(t, "GET", "https://a.example.test/x", "")
		r.Body, r.GetBody = body, nil
		if status, _ := roundTrip(t, issuertest.NewDPoPClient(testdata.PrivateKey("p256-a"), base), r); status != 200 {
			t.Errorf("%s: status %d", name, status)
		}
	}
}

// A server that is never content is asked twice, not for ever.
func TestDPoPClientGivesUp(t *testing.T) {
	base := &answerer{answer: func(n int, _ *http.Request) *http.Response {
		return respond(401, "", "DPoP-Nonce", fmt.Sprint(n), "WWW-Authenticate", wanted)
	}}
	client := issuertest.NewDPoPClient(testdata.PrivateKey("p256-a"), base)
	for range 2 {
		if status, _ := roundTrip(t, client, request(t, "GET", "https://a.example.test/x", "")); status != 401 {
			t.Errorf("status %d", status)
		}
	}
	if diff := cmp.Diff([]any{nil, "1", "2", "3"}, base.claims(t, "nonce")); diff != "" {
		t.Error(diff)
	}
}

// A nonce is for the server that gave it, by whatever answer.
func TestDPoPClientKeepsNonces(t *testing.T) {
	base := &answerer{answer: func(n int, _ *http.Request) *http.Response {
		return respond(200, "", "DPoP-Nonce", fmt.Sprint(n))
	}}
	client := issuertest.NewDPoPClient(testdata.PrivateKey("p256-a"), base)
	for _, target := range []string{"https://a.test/x", "https://A.test/y", "https://a.test:444/x", "http://a.test/x", "https://a.test/z"} {
		roundTrip(t, client, request(t, "GET", target, ""))
	}
	if diff := cmp.Diff([]any{nil, "1", nil, nil, "2"}, base.claims(t, "nonce")); diff != "" {
		t.Error(diff)
	}
}

// What goes wrong below is told as it is.
func TestDPoPClientFails(t *testing.T) {
	base := &answerer{answer: func(n int, _ *http.Request) *http.Response {
		if n > 1 {
			return nil
		}
		resp := respond(400, "", "DPoP-Nonce", "n")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("part"), iotest.ErrReader(io.ErrUnexpectedEOF)))
		return resp
	}}
	client := issuertest.NewDPoPClient(testdata.PrivateKey("p256-a"), base)
	resp, err := client.RoundTrip(request(t, "GET", "https://a.test/x", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "part" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("body %q, %v", body, err)
	}
	if _, err := client.RoundTrip(request(t, "GET", "https://a.test/x", "")); err == nil || err.Error() != "no answer" {
		t.Errorf("error %v", err)
	}
}

// A program's own OAuth client gets a bound token and shows it, to servers that
// both want nonces, over sockets.
func TestDPoPClientUnderOAuth2(t *testing.T) {
	iss := issuertest.New(t)
	iss.SetNonce("of-the-issuer")
	key := testdata.PrivateKey("p256-b")
	var (
		mu   sync.Mutex
		seen []string
	)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		proof := parse(t, r.Header.Get("DPoP"))
		seen = append(seen, fmt.Sprint(proof.claims["nonce"]))
		w.Header().Set("DPoP-Nonce", "of-the-api")
		if proof.claims["nonce"] != "of-the-api" {
			w.Header().Set("WWW-Authenticate", wanted)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP ")
		good := issuertest.ProofClaims{Method: "POST", URL: "http://" + r.Host + r.URL.Path, Token: token, Nonce: "of-the-api", IssuedAt: time.Now()}
		if found := proofFaults(t, r.Header["Dpop"], key.Public(), good); found != nil {
			t.Errorf("wrong with the proof: %q", found)
		}
		if jkt := parse(t, token).claims["cnf"].(map[string]any)["jkt"]; jkt != issuertest.Thumbprint(key.Public()) {
			t.Errorf("jkt %v", jkt)
		}
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(api.Close)

	dpop := &http.Client{Transport: issuertest.NewDPoPClient(key, iss.Client().Transport)}
	config := clientcredentials.Config{ClientID: issuertest.ClientID, ClientSecret: issuertest.ClientSecret, TokenURL: iss.TokenURL()}
	client := config.Client(context.WithValue(t.Context(), oauth2.HTTPClient, dpop))
	for range 2 {
		resp, err := client.Post(api.URL+"/orders", "text/plain", strings.NewReader("an order"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || string(body) != "an order" {
			t.Fatalf("status %d, body %q, %v", resp.StatusCode, body, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]string{"<nil>", "of-the-api", "of-the-api"}, seen); diff != "" {
		t.Errorf("nonces: %s", diff)
	}
	if n := iss.Requests(issuertest.TokenEndpoint); n != 2 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
}

// In a bubble, client and issuer keep the bubble's time.
func TestDPoPClientInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		client := issuertest.NewDPoPClient(testdata.PrivateKey("ed25519-a"), iss.Client().Transport)
		for range 2 {
			r := request(t, "POST", iss.TokenURL(), "grant_type=client_credentials")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth(issuertest.ClientID, issuertest.ClientSecret)
			status, body := roundTrip(t, client, r)
			var got granted
			if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK || got.TokenType != "DPoP" {
				t.Errorf("status %d, %s", status, body)
			}
			time.Sleep(time.Hour)
		}
	})
}
