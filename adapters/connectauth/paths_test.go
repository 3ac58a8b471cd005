package connectauth_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const list = "/orders.v1.Orders/List"

var readRule = scopes.All("orders:read")

// TestPaths: a procedure is one by its path as it was sent, and everything else is in no
// list, whatever a router makes of it. No handler sees it.
func TestPaths(t *testing.T) {
	iss := issuertest.New(t)
	ran := make(chan string, 1)
	auth := connectauth.New(newValidator(t, iss), connectauth.Rules{list: readRule}, &connectauth.Config{Public: []string{"/grpc.health.v1.Health/Check"}})
	server := httptest.NewServer(auth.Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ran <- r.URL.Path })))
	t.Cleanup(server.Close)
	for path, status := range map[string]int{
		list: 200, list + "?connect=v1": 200, list + "?": 200,
		"/grpc.health.v1.Health/Check": 200,

		"/orders.v1.Orders/list": 403, "/Orders.v1.Orders/List": 403, "/orders.v1.Orders/LIST": 403,
		list + "/": 403, "/" + list: 403, "/orders.v1.Orders//List": 403,
		"/orders.v1.Orders%2FList": 403, "/orders.v1.Orders%2fList": 403, "/orders.v1.Orders/%4cist": 403, "/orders%2ev1.Orders/List": 403,
		"/./orders.v1.Orders/List": 403, "/x/../orders.v1.Orders/List": 403, "/orders.v1.Orders/List;a=b": 403, "/orders.v1.Orders/List%00": 403,
		"/orders.v1.Orders/List%20": 403, "/orders.v1.Orders/Unknown": 403, "/orders.v1.Orders": 403, "/": 403,
		"/grpc.health.v1.Health/check": 403, "/grpc.health.v1.Health%2FCheck": 403, "/grpc.health.v1.Health/Check/": 403,
	} {
		for _, token := range []string{iss.Token(issuertest.Claims{Scope: "orders:read"}), ""} {
			r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.URL.Opaque = strings.TrimPrefix(server.URL, "http:") + path // as it is written here
			r.Header.Set("Content-Type", "application/json")
			want := status
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			} else if !strings.HasPrefix(path, "/grpc.health.v1.Health/Check") || status != 200 {
				want = 401
			}
			response, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("%s: %d %s, wanted %d", path, response.StatusCode, body, want)
			}
			if reached := len(ran) == 1; reached != (want == 200) {
				t.Errorf("%s: the handler ran: %v", path, reached)
			}
			for len(ran) > 0 {
				<-ran
			}
		}
	}
}

// TestRefusedBeforeTheBodyIsRead: a stranger has nothing read.
func TestRefusedBeforeTheBodyIsRead(t *testing.T) {
	auth := connectauth.New(newValidator(t, issuertest.New(t)), connectauth.Rules{list: readRule}, nil)
	for _, kind := range []string{"application/json", "application/proto", "application/connect+json", "application/grpc", "application/grpc-web+proto", "text/plain"} {
		r := httptest.NewRequest("POST", list, unreadable{t})
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		auth.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })).ServeHTTP(w, r)
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", kind, w.Header())
		}
	}
}

type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// TestHTTPAnswers: what a proxy or a client of plain HTTP sees of a unary refusal.
func TestHTTPAnswers(t *testing.T) {
	iss := issuertest.New(t)
	iss.SetFault(issuertest.JWKS, issuertest.Down())
	auth := connectauth.New(newValidator(t, iss), connectauth.Rules{list: readRule}, nil)
	for _, tc := range []struct {
		authorization, body string
		status              int
		retry, challenge    bool
	}{
		{"", `{"code":"unauthenticated","message":"No access token was sent.","details":[{"type":"google.rpc.ErrorInfo"`, 401, false, true},
		{"Bearer a b", `{"code":"invalid_argument","message":"The request must carry exactly one well-formed bearer token, in the Authorization header."`, 400, false, true},
		{"Bearer " + iss.Token(issuertest.Claims{}), `{"code":"unavailable","message":"The access token cannot be checked right now."`, 503, true, false},
	} {
		r := httptest.NewRequest("POST", list, strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		if tc.authorization != "" {
			r.Header.Set("Authorization", tc.authorization)
		}
		w := httptest.NewRecorder()
		auth.Protect(http.NotFoundHandler()).ServeHTTP(w, r)
		if w.Code != tc.status || !strings.HasPrefix(w.Body.String(), tc.body) || w.Header().Get("Content-Type") != "application/json" ||
			(w.Header().Get("Retry-After") != "") != tc.retry || (w.Header().Get("WWW-Authenticate") != "") != tc.challenge {
			t.Errorf("%d %v %s, wanted %d %s", w.Code, w.Header(), w.Body, tc.status, tc.body)
		}
	}
}

// TestWrongConfig: what is constant in a program is refused where it is written, all of it
// at once.
func TestWrongConfig(t *testing.T) {
	v := newValidator(t, issuertest.New(t))
	panics := func(build func()) (text string) {
		defer func() { text = fmt.Sprint(recover()) }()
		build()
		return ""
	}
	text := panics(func() {
		connectauth.New(v, connectauth.Rules{
			list: readRule, "orders.v1.Orders/List": readRule, "/orders.v1.Orders/*": readRule, "/orders.v1.Orders/List/": readRule, "/a/b/c": readRule,
			"/orders.v1.Orders/Zero": {}, "/orders.v1.Orders/Nothing": scopes.All(),
		}, &connectauth.Config{
			HTTP:   httpauth.Config{ErrorHandler: func(http.ResponseWriter, *http.Request, *httpauth.Failure) {}},
			Gates:  map[string]httpauth.Gate{list: {Rule: readRule}, "/orders.v1.Orders/Fresh": {Rule: readRule, MaxAge: new(validator.Demand).MaxAge, Bound: true, DangerouslyReportOnly: true}},
			Public: []string{list, "/"},
		})
	})
	for _, fault := range []string{
		`Rules holds "orders.v1.Orders/List", wanted the path`, `Rules holds "/orders.v1.Orders/*"`, `Rules holds "/orders.v1.Orders/List/"`, `Rules holds "/a/b/c"`,
		`Rules["/orders.v1.Orders/Zero"]: the rule lets nobody in`, `Rules["/orders.v1.Orders/Nothing"]: the rule lets nobody in`,
		`Config.Gates holds /orders.v1.Orders/List a second time`, `Config.Gates["/orders.v1.Orders/Fresh"]: Gate: DangerouslyReportOnly`,
		`Config.Public holds /orders.v1.Orders/List a second time`, `Config.Public holds "/"`, "Config.HTTP.ErrorHandler is set",
	} {
		if !strings.Contains(text, fault) {
			t.Errorf("%q is not in %s", fault, text)
		}
	}
	for name, build := range map[string]func(){
		"nil validator": func() { connectauth.New(nil, nil, nil) },
		"realm":         func() { connectauth.New(v, nil, &connectauth.Config{HTTP: httpauth.Config{Realm: `"`}}) },
	} {
		if text := panics(build); !strings.HasPrefix(text, "connectauth: New: ") {
			t.Errorf("%s: %q", name, text)
		}
	}
}

// TestDenyWithoutProtect: a handler that nobody protects can still say no.
func TestDenyWithoutProtect(t *testing.T) {
	auth := connectauth.New(newValidator(t, issuertest.New(t)), nil, nil)
	if err := auth.Deny(t.Context(), nil); connect.CodeOf(err) != connect.CodePermissionDenied || err.Error() != "permission_denied: This API does not let the client of the access token do this." {
		t.Errorf("got %v", err)
	}
}

// TestRoutes lists rules and gates, by path.
func TestRoutes(t *testing.T) {
	auth := connectauth.New(newValidator(t, issuertest.New(t)), connectauth.Rules{list: readRule}, &connectauth.Config{
		Gates: map[string]httpauth.Gate{"/orders.v1.Orders/Export": {Rule: readRule, Bound: true}}, Public: []string{"/grpc.health.v1.Health/Check"},
	})
	if routes := auth.Routes(); len(routes) != 2 || routes[0].Pattern != list || routes[1].Pattern != "/orders.v1.Orders/Export" || routes[1].Kind != "bound" {
		t.Errorf("got %+v", routes)
	}
}

func newValidator(t testing.TB, iss *issuertest.Issuer, change ...func(*validator.Config)) *validator.Validator {
	t.Helper()
	cfg := validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}}}
	for _, c := range change {
		c(&cfg)
	}
	v, err := validator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// TestReportOnly: while all of it only reports, a procedure in no list is served as well,
// and a stream outlives its token, but no revocation.
func TestReportOnly(t *testing.T) {
	iss := issuertest.New(t)
	v, block := revocable(t, iss)
	auth := connectauth.New(v, connectauth.Rules{watch: readRule}, &connectauth.Config{HTTP: httpauth.Config{DangerouslyReportOnly: true}})
	token := iss.Token(issuertest.Claims{ClientID: "c", Scope: "orders:read"})
	for _, path := range []string{watch, "/orders.v1.Orders/Unknown"} {
		for _, authorization := range []string{"", "Bearer " + token} {
			r := httptest.NewRequest("POST", path, http.NoBody)
			r.Header.Set("Content-Type", "application/grpc")
			if authorization != "" {
				r.Header.Set("Authorization", authorization)
			}
			reached := false
			auth.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })).ServeHTTP(httptest.NewRecorder(), r)
			if !reached {
				t.Errorf("%s with %.10q was refused", path, authorization)
			}
		}
	}
	w := httptest.NewRecorder()
	_ = raw(t, w, auth, token, func(_ http.ResponseWriter, r *http.Request) {
		go block("c")
		<-r.Context().Done()
	})
	if !strings.Contains(w.Body.String(), "was revoked") {
		t.Errorf("%q", w.Body)
	}
}
