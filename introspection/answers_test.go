package introspection_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/testdata"
)

// overSocket makes a Client of a real endpoint.
func overSocket(t *testing.T, handler http.HandlerFunc, change func(*introspection.Config)) *introspection.Client {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	cfg := introspection.Config{
		Endpoint: srv.URL + "/introspect",
		Auth:     introspection.ClientSecretBasic("api", introspection.Secret(secretText)),
	}
	if change != nil {
		change(&cfg)
	}
	c, err := introspection.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func reply(status int, contentType, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

const jsonType = "application/json"

// signedAnswer has the shape of RFC 9701 §5.
const signedAnswer = "eyJhbGciOiJFUzI1NiJ9.eyJ0b2tlbl9pbnRyb3NwZWN0aW9uIjp7ImFjdGl2ZSI6dHJ1ZX19.c2lnbmF0dXJl"

// Nothing but a 200 with a strict JSON object says anything about a token; and
// when the endpoint is back to itself, the next question is answered.
func TestBadAnswers(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		status  int
		says    string
	}{
		{"active missing", reply(200, jsonType, `{"scope":"read"}`), 200, "no member active"},
		{"active a string", reply(200, jsonType, `{"active":"true"}`), 200, "not true or false"},
		{"active a number", reply(200, jsonType, `{"active":1}`), 200, "not true or false"},
		{"active null", reply(200, jsonType, `{"active":null}`), 200, "not true or false"},
		{"active an array", reply(200, jsonType, `{"active":[true]}`), 200, "not true or false"},
		{"active in another case", reply(200, jsonType, `{"Active":true}`), 200, "no member active"},
		{"active nested", reply(200, jsonType, `{"data":{"active":true}}`), 200, "no member active"},
		{"active twice", reply(200, jsonType, `{"active":false,"active":true}`), 200, "strict JSON"},
		{"active twice, once escaped", reply(200, jsonType, `{"active":false,"\u0061ctive":true}`), 200, "strict JSON"},
		{"another member twice", reply(200, jsonType, `{"active":true,"scope":"a","scope":"b"}`), 200, "strict JSON"},
		{"a nested member twice", reply(200, jsonType, `{"active":true,"x":{"y":1,"y":2}}`), 200, "strict JSON"},
		{"exp a string", reply(200, jsonType, `{"active":true,"exp":"4102444800"}`), 200, "NumericDate"},
		{"exp null", reply(200, jsonType, `{"active":true,"exp":null}`), 200, "NumericDate"},
		{"exp negative", reply(200, jsonType, `{"active":true,"exp":-1}`), 200, "NumericDate"},
		{"exp beyond all years", reply(200, jsonType, `{"active":true,"exp":1e300}`), 200, "NumericDate"},
		{"an array", reply(200, jsonType, `[{"active":true}]`), 200, "not a JSON object"},
		{"a boolean", reply(200, jsonType, `true`), 200, "not a JSON object"},
		{"nothing", reply(200, jsonType, ``), 200, "not a JSON object: it is empty"},
		{"an encoding that was not asked for", reply(200, jsonType, "\x8b\x02", "Content-Encoding", "br"), 200, `content encoding "br", which was not asked for, but the body is not a JSON object`},
		{"a byte order mark", reply(200, jsonType, "\xef\xbb\xbf"+activeBody), 200, "not a JSON object: it begins with a byte order mark"},
		{"truncated", reply(200, jsonType, `{"active":true`), 200, "strict JSON"},
		{"two objects", reply(200, jsonType, `{"active":true}{"active":true}`), 200, "after the JSON object"},
		{"invalid UTF-8", reply(200, jsonType, "{\"active\":true,\"sub\":\"\xff\"}"), 200, "strict JSON"},
		{"nested too deeply", reply(200, jsonType, `{"active":true,"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`}`), 200, "nests deeper"},
		{"HTML with 200", reply(200, "text/html", `<html>Welcome</html>`), 200, "text/html"},
		{"a signed answer that nobody asked for", reply(200, "application/token-introspection+jwt", signedAnswer), 200, "application/token-introspection+jwt"},
		{"an object that calls itself signed and is not active", reply(200, "application/token-introspection+jwt", `{"token_introspection":{"active":true}}`), 200, "no member active"},
		{"created", reply(201, jsonType, activeBody), 201, "failed"},
		{"no content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204, "failed"},
		{"401 JSON", reply(401, jsonType, `{"error":"invalid_client"}`), 401, "check Config.Auth"},
		{"401 empty", reply(401, "", ``), 401, "check Config.Auth"},
		{"401 text", reply(401, "text/plain", "ErrorType=unauthorized_client Parent=invalid client or secret"), 401, "check Config.Auth"},
		{"401 that says active", reply(401, jsonType, activeBody), 401, "check Config.Auth"},
		{"403 HTML", reply(403, "text/html", "<html>Forbidden</html>"), 403, "check Config.Auth"},
		{"400 invalid_client", reply(400, jsonType, `{"error":"invalid_client"}`), 400, "check Config.Auth"},
		{"400 unauthorized_client", reply(400, jsonType, `{"error":"unauthorized_client"}`), 400, "check Config.Auth"},
		{"400 unsupported_token_type", reply(400, jsonType, `{"error":"unsupported_token_type"}`), 400, "would not judge this token"},
		{"400 that says inactive", reply(400, jsonType, `{"active":false}`), 400, "would not judge this token"},
		{"404", reply(404, "text/plain", "404 page not found"), 404, "check Config.Endpoint"},
		{"405", reply(405, "text/plain", ""), 405, "check Config.Endpoint"},
		{"429", reply(429, jsonType, `{}`), 429, "fewer requests"},
		{"500", reply(500, "text/html", "<html>Oops</html>"), 500, "failed"},
		{"502 that says active", reply(502, jsonType, activeBody), 502, "failed"},
		{"503", reply(503, "", ""), 503, "failed"},
		{"redirect", reply(307, "", "", "Location", "/elsewhere"), 307, "redirects are not followed"},
		{"redirect to another host", reply(302, "", "", "Location", "https://evil.example/"), 302, "redirects are not followed"},
		{"reset half-way", cut(`{"active":`), 0, "broke off"},
		{"closed without an answer", cut(""), 0, "EOF"},
		{"gzip bomb", bomb, 0, "over the limit of 65536 bytes"},
		{"too large", reply(200, jsonType, `{"active":true,"pad":"`+strings.Repeat("x", 70_000)+`"}`), 0, "over the limit of 65536 bytes"},
		{"time-out", func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, 0, "deadline exceeded"},
		{"slow drip", drip, 0, "deadline exceeded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var healthy atomic.Bool
			c := overSocket(t, func(w http.ResponseWriter, r *http.Request) {
				if healthy.Load() {
					reply(200, jsonType, activeBody)(w, r)
					return
				}
				test.handler(w, r)
			}, func(cfg *introspection.Config) {
				if strings.Contains(test.says, "deadline") {
					cfg.RequestTimeout = 200 * time.Millisecond
				}
			})
			r, err := c.Introspect(t.Context(), "token")
			if got := verdict(r, err); got != "unavailable" {
				t.Fatalf("answered %s (%v), want unavailable", got, err)
			}
			u := failure(t, err)
			if u.Status != test.status {
				t.Errorf("status is %d, want %d", u.Status, test.status)
			}
			if !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "/introspect") {
				t.Errorf("error is %q, want the endpoint and %q in it", err, test.says)
			}
			healthy.Store(true)
			expect(t, c, "token", "active") // the failure was not remembered
		})
	}
}

func cut(begin string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		if begin != "" {
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n%s", begin)
		}
	}
}

func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	io.WriteString(z, `{"active":true,"pad":"`)
	zeros := strings.Repeat("0", 1<<20)
	for range 16 {
		if _, err := io.WriteString(z, zeros); err != nil {
			return
		}
	}
	io.WriteString(z, `"}`)
	z.Close()
}

func drip(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", jsonType)
	out := http.NewResponseController(w)
	for _, b := range []byte(`{"active":true` + strings.Repeat(" ", 100) + `}`) {
		w.Write([]byte{b})
		out.Flush()
		select {
		case <-time.After(20 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

// What real endpoints leave out or spell their own way is the validator's
// matter; the answer passes through as it is.
func TestGoodAnswers(t *testing.T) {
	for _, test := range []struct {
		name, contentType, body, want, claims string
	}{
		{"the least", jsonType, activeBody, "active", activeBody},
		{"with parameters and in capitals", "Application/JSON; Charset=UTF-8", activeBody, "active", activeBody},
		{"content is looked at, not its label", "text/plain", activeBody, "active", activeBody},
		{"white space around", jsonType, " {\n\"active\" : true } \n", "active", " {\n\"active\" : true } \n"},
		{"fractional exp", jsonType, `{"active":true,"exp":4102444800.5}`, "active", `{"active":true,"exp":4102444800.5}`},
		{"aud an empty array", jsonType, `{"active":true,"aud":[]}`, "active", `{"active":true,"aud":[]}`},
		{"token_type in another case", jsonType, `{"active":true,"token_type":"bearer"}`, "active", `{"active":true,"token_type":"bearer"}`},
		{"inactive", jsonType, `{"active":false}`, "inactive", `{"active":false}`},
		{"inactive with more", jsonType, `{"active":false,"sub":"alice","exp":"x"}`, "inactive", `{"active":false}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := overSocket(t, reply(200, test.contentType, test.body), nil)
			r := expect(t, c, "token", test.want)
			if diff := cmp.Diff(test.claims, string(r.Claims())); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResultIsImmutable(t *testing.T) {
	c := newClient(t, newUpstream(always(activeBody)), nil)
	clear(expect(t, c, "token", "active").Claims())
	if got := string(expect(t, c, "token", "active").Claims()); got != activeBody {
		t.Errorf("claims are %q after a caller changed its copy, want %q", got, activeBody)
	}
}

// Every answer that was recorded of a real server, for a token or for odd
// questions, over a socket.
func TestRecordedAnswers(t *testing.T) {
	for _, server := range testdata.Recorded() {
		for _, token := range server.Tokens {
			t.Run(server.Name+"/"+token.Name, func(t *testing.T) {
				c := overSocket(t, reply(token.IntrospectionStatus, jsonType, string(token.Introspection)), nil)
				expect(t, c, token.Raw, wanted(t, token.IntrospectionStatus, token.Introspection))
			})
		}
		var doc struct {
			Extra map[string]json.RawMessage `json:"introspection_extra"`
			JWT   map[string]json.RawMessage `json:"introspection_jwt"`
		}
		if err := json.Unmarshal(server.Document, &doc); err != nil {
			t.Fatal(err)
		}
		for name, raw := range doc.Extra {
			t.Run(server.Name+"/extra/"+name, func(t *testing.T) { recordedAnswer(t, raw) })
		}
		for name, raw := range doc.JWT {
			t.Run(server.Name+"/signed/"+name, func(t *testing.T) { recordedAnswer(t, raw) })
		}
	}
}

// recordedAnswer plays one recorded answer: either the JSON object itself, or a
// description with status, content type and text.
func recordedAnswer(t *testing.T, raw []byte) {
	var described struct {
		Status      int    `json:"status"`
		ContentType string `json:"content_type"`
		Text        string `json:"text"`
		Body        string `json:"body"`
	}
	if err := json.Unmarshal(raw, &described); err != nil {
		t.Fatal(err)
	}
	status, contentType, body := 200, jsonType, string(raw)
	if described.Status != 0 {
		status, contentType, body = described.Status, described.ContentType, described.Text+described.Body
	}
	c := overSocket(t, reply(status, contentType, body), nil)
	expect(t, c, "token", wanted(t, status, []byte(body)))
}

// wanted is the verdict that a reader of RFC 7662 §2.2 would give.
func wanted(t *testing.T, status int, body []byte) string {
	t.Helper()
	var doc map[string]any
	if json.Unmarshal(body, &doc) != nil || status != 200 {
		return "unavailable"
	}
	active, ok := doc["active"].(bool)
	switch {
	case !ok:
		return "unavailable"
	case active:
		return "active"
	}
	return "inactive"
}

// An endpoint that cannot be reached at all.
func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String() + "/introspect"
	l.Close()
	c := overSocket(t, nil, func(cfg *introspection.Config) { cfg.Endpoint = address })
	_, err = c.Introspect(t.Context(), "token")
	if failure(t, err); !strings.Contains(err.Error(), address) {
		t.Errorf("error is %q, want %s in it", err, address)
	}
}
