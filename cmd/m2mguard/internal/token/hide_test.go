package token_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/token"
	"github.com/m2mguard/m2mguard/introspection"
)

const (
	issued = "abc/def+ghi~jkl-mno.pqr_stu/vwx=="
	secret = "s3cret/of+the&client%41=that%is\"sent"
)

// answering is a token endpoint that answers so.
func answering(t *testing.T, status int, answer func(r *http.Request) string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer(r))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func always(text string) func(*http.Request) string {
	return func(*http.Request) string { return text }
}

// TestHide: the token is hidden however it is spelt, and in pieces.
func TestHide(t *testing.T) {
	endpoint := answering(t, 200, always(`{"access_token":"`+issued+`","token_type":"Bearer","expires_in":99999999999}`))
	got, err := token.Get(t.Context(), token.Request{Endpoint: endpoint, Auth: introspection.ClientSecretPost("c", introspection.Secret(secret))})
	if err != nil {
		t.Fatal(err)
	}
	if got.ExpiresIn <= 0 || got.ExpiresIn == math.MaxInt64 {
		t.Errorf("good for %v", got.ExpiresIn)
	}
	for _, hidden := range []struct{ text, word string }{{issued, "[the token]"}, {secret, "[a credential]"}} {
		inJSON, _ := json.Marshal(hidden.text)
		for name, spelt := range map[string]string{
			"as it is": hidden.text, "a piece": hidden.text[5:25], "JSON": strings.Trim(string(inJSON), `"`), "slashes": strings.ReplaceAll(strings.Trim(string(inJSON), `"`), "/", `\/`),
			"slashes in a text": strings.ReplaceAll(strings.ReplaceAll(hidden.text, `"`, `\\\"`), "/", `\\/`),
			"query":             url.QueryEscape(hidden.text), "path": strings.ToLower(url.PathEscape(hidden.text)), "Go": strings.Trim(fmt.Sprintf("%q", hidden.text), `"`), "HTML": html.EscapeString(hidden.text),
			"code points": strings.NewReplacer("/", `\u002F`, "+", `\u002b`).Replace(strings.Trim(string(inJSON), `"`)), "hex": strings.ReplaceAll(strings.ReplaceAll(hidden.text, `"`, `\"`), "/", `\x2f`),
		} {
			if shown := got.Hide("before " + spelt + " after"); shown != "before "+hidden.word+" after" {
				t.Errorf("%s: %s became %s", name, spelt, shown)
			}
		}
	}
	for _, plain := range []string{"", "nothing", `100%, a\b & c\`, "client_credentials of c", issued[:15], "é\x1b[2J"} {
		if shown := got.Hide(plain); shown != plain {
			t.Errorf("%q became %q", plain, shown)
		}
	}
}

// TestProofsAreHidden: an API may send them back.
func TestProofsAreHidden(t *testing.T) {
	var sent []string
	note := func(r *http.Request) string {
		sent = append(sent, r.Header.Get("DPoP"))
		return `{"access_token":"` + issued + `","token_type":"DPoP"}`
	}
	endpoint := answering(t, 200, note)
	got, err := token.Get(t.Context(), token.Request{Endpoint: endpoint, Auth: basic, DPoP: true})
	if err != nil {
		t.Fatal(err)
	}
	called(t, got, endpoint)
	for _, proof := range sent {
		if shown := got.Hide(proof); len(proof) < 100 || shown != "[the token]" {
			t.Errorf("%q became %q", proof, shown)
		}
	}
}

// TestRefusedWithTheSecret: an issuer may send back what authenticates the client.
func TestRefusedWithTheSecret(t *testing.T) {
	for name, auth := range map[string]introspection.ClientAuth{
		"basic": introspection.ClientSecretBasic("client-of-orders", introspection.Secret(secret)), "post": introspection.ClientSecretPost("client-of-orders", introspection.Secret(secret)),
	} {
		for place, told := range map[string]func(r *http.Request) string{
			"the field": func(r *http.Request) string { return r.Header.Get("Authorization") },
			"the form":  func(r *http.Request) string { return fmt.Sprint(r.PostForm) },
			"encoded":   func(r *http.Request) string { return r.PostForm.Encode() },
			"its end":   func(*http.Request) string { return strings.Repeat("x", 280) + secret },
		} {
			endpoint := answering(t, 401, func(r *http.Request) string {
				answer, _ := json.Marshal(map[string]string{"error": secret, "error_description": "client_credentials of client-of-orders: " + told(r)})
				return string(answer)
			})
			_, err := token.Get(t.Context(), token.Request{Endpoint: endpoint, Auth: auth})
			if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "czNjcmV0") || !strings.Contains(err.Error(), "client_credentials of client-of-orders") {
				t.Errorf("%s, %s: %v", name, place, err)
			}
		}
	}
}

// TestUnreadable: nothing that was sent back, and no query, is in an error of net/http's.
func TestUnreadable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_ = r.ParseForm()
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s %s\r\n\r\n", r.Header.Get("Authorization"), r.PostForm.Encode())
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	for _, endpoint := range []string{"http://" + l.Addr().String(), "http://127.0.0.1:1/token"} {
		_, err = token.Get(t.Context(), token.Request{Endpoint: endpoint + "?api_key=K3Y", Auth: introspection.ClientSecretPost("c", introspection.Secret("s3cret-of-the-client"))})
		if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "K3Y") || !strings.HasPrefix(err.Error(), "POST "+endpoint) {
			t.Errorf("got %v", err)
		}
	}
}

// TestClearText: neither an https issuer's metadata nor what is allowed for an issuer has
// credentials or a token sent in clear.
func TestClearText(t *testing.T) {
	for _, member := range []string{`"token_endpoint":%q`, `"token_endpoint":"https://127.0.0.1:1","mtls_endpoint_aliases":{"token_endpoint":%q}`} {
		asked := false
		plain := answering(t, 200, func(*http.Request) string { asked = true; return `{"access_token":"t","token_type":"Bearer"}` })
		mux := http.NewServeMux()
		issuer := httptest.NewTLSServer(mux)
		t.Cleanup(issuer.Close)
		mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":%q,`+member+`}`, issuer.URL, plain)
		})
		_, err := token.Get(t.Context(), token.Request{Issuer: issuer.URL, Auth: basic, MTLS: true, HTTPClient: issuer.Client()})
		if err == nil || asked || !strings.Contains(err.Error(), "wanted https, as the issuer is") {
			t.Errorf("asked %t: %v", asked, err)
		}
	}
	got, err := token.Get(t.Context(), token.Request{Endpoint: answering(t, 200, always(`{"access_token":"t"}`)), Auth: basic, AllowHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.Call(t.Context(), http.MethodGet, "http://api.example.com/orders"); err == nil || !strings.Contains(err.Error(), "wanted https") {
		t.Errorf("got %v", err)
	}
}
