package adaptertest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/internal/trials/conformance"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

var (
	_ conformance.Middleware[func(http.Handler) http.Handler] = (*httpauth.Middleware)(nil)
	_ conformance.Middleware[echo.MiddlewareFunc]             = (*echoauth.Middleware)(nil)
	_ conformance.Middleware[gin.HandlerFunc]                 = (*ginauth.Middleware)(nil)
)

// gatePaths are where each gate stands. The handler behind /deny asks Decide.
var gatePaths = []string{"/require", "/fresh", "/that", "/bound", "/live", "/optional", "/report", "/deny"}

// gated are the gates by path. RequireFresh is one where v can ask an issuer.
func gated[M any](auth conformance.Middleware[M], v *validator.Validator) map[string]func(scopes.Rule) M {
	all := make(map[string]func(scopes.Rule) M)
	for _, gate := range conformance.Gates {
		if gate != conformance.Fresh || v.CanVerifyFresh() == nil {
			all["/"+string(gate)] = func(rule scopes.Rule) M { return conformance.Of(auth, gate, rule) }
		}
	}
	return all
}

// routes are behind each gate, for every method: /orders is at /require/orders and
// so on, and at /require itself.
var routes = func() map[string]scopes.Rule {
	all := map[string]scopes.Rule{"": readRule}
	for name, rule := range conformance.Rules {
		all["/"+name] = rule
	}
	return all
}()

// The routes under /group of a gate need readRule for the group; /group/write is
// behind the same gate a second time, with writeRule, and /group/read is not.
var (
	readRule  = scopes.All("orders:read")
	writeRule = scopes.All("orders:write")
)

// framework is an API built with one of the adapters, with the same handler behind
// all routes.
type framework struct {
	name string
	api  func(v *validator.Validator, cfg *httpauth.Config, handler http.HandlerFunc) http.Handler
}

var frameworks = []framework{
	{"net/http", netHTTP},
	{"chi", onChi},
	{"Echo", onEcho},
	{"Gin", onGin},
}

// serve is a handler that says what it knows of a token.
func serve(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, conformance.Said(r.Context()))
}

// who is a handler that says whose token it got, if any.
func who(w http.ResponseWriter, r *http.Request) {
	if token := validator.FromContext(r.Context()); token != nil {
		_, _ = fmt.Fprint(w, token.ClientID())
		return
	}
	_, _ = fmt.Fprint(w, "nobody")
}

// denying is handler with Decide before it, where path is that of Deny.
func denying(auth *httpauth.Middleware, path string, handler http.HandlerFunc) http.HandlerFunc {
	if path != "/deny" {
		return handler
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if err := conformance.Decide(r.Context(), validator.FromContext(r.Context())); err != nil {
			auth.Deny(w, r, err)
			return
		}
		handler(w, r)
	}
}

func netHTTP(v *validator.Validator, cfg *httpauth.Config, handler http.HandlerFunc) http.Handler {
	auth := httpauth.New(v, cfg)
	mux := http.NewServeMux()
	for path, gate := range gated(auth, v) {
		last := denying(auth, path, handler)
		for route, rule := range routes {
			mux.Handle(path+route, gate(rule)(last))
		}
		group := http.NewServeMux()
		group.HandleFunc(path+"/group/read", last)
		group.Handle(path+"/group/write", gate(writeRule)(last))
		mux.Handle(path+"/group/", gate(readRule)(group))
	}
	return mux
}

func onChi(v *validator.Validator, cfg *httpauth.Config, handler http.HandlerFunc) http.Handler {
	auth := httpauth.New(v, cfg)
	router := chi.NewRouter()
	for path, gate := range gated(auth, v) {
		last := denying(auth, path, handler)
		for route, rule := range routes {
			router.With(gate(rule)).HandleFunc(path+route, last)
		}
		router.Route(path+"/group", func(group chi.Router) {
			group.Use(gate(readRule))
			group.HandleFunc("/read", last)
			group.With(gate(writeRule)).HandleFunc("/write", last)
		})
	}
	return router
}

func onEcho(v *validator.Validator, cfg *httpauth.Config, handler http.HandlerFunc) http.Handler {
	auth, e := echoauth.New(v, cfg), echo.New()
	last := func(c echo.Context) error {
		if echoauth.Token(c) != validator.FromContext(c.Request().Context()) {
			return errors.New("the context holds another token")
		}
		handler(c.Response(), c.Request())
		return nil
	}
	denying := func(c echo.Context) error {
		if err := conformance.Decide(c.Request().Context(), echoauth.Token(c)); err != nil {
			return auth.Deny(c, err)
		}
		return last(c)
	}
	for path, gate := range gated(auth, v) {
		last := last
		if path == "/deny" {
			last = denying
		}
		for route, rule := range routes {
			e.Any(path+route, last, gate(rule))
		}
		group := e.Group(path + "/group")
		group.Use(gate(readRule))
		group.Any("/read", last)
		group.Any("/write", last, gate(writeRule))
	}
	return e
}

func onGin(v *validator.Validator, cfg *httpauth.Config, handler http.HandlerFunc) http.Handler {
	auth, engine := ginauth.New(v, cfg), gin.New()
	last := func(c *gin.Context) {
		if ginauth.Token(c) != validator.FromContext(c.Request.Context()) {
			_ = c.AbortWithError(http.StatusInternalServerError, errors.New("the context holds another token"))
			return
		}
		handler(c.Writer, c.Request)
	}
	denying := func(c *gin.Context) {
		if err := conformance.Decide(c.Request.Context(), ginauth.Token(c)); err != nil {
			auth.Deny(c, err) // aborts, so that last does not run
		}
	}
	for path, gate := range gated(auth, v) {
		then := []gin.HandlerFunc{last}
		if path == "/deny" {
			then = []gin.HandlerFunc{denying, last}
		}
		behind := func(rule scopes.Rule) []gin.HandlerFunc { return append([]gin.HandlerFunc{gate(rule)}, then...) }
		for route, rule := range routes {
			engine.Any(path+route, behind(rule)...)
		}
		group := engine.Group(path + "/group")
		group.Use(gate(readRule))
		group.Any("/read", then...)
		group.Any("/write", behind(writeRule)...)
	}
	return engine
}

// mode is a way to prove tokens, with the tokens that go with it.
type mode struct {
	name   string
	issuer func(*issuertest.Issuer) validator.Issuer
	token  func(*issuertest.Issuer, issuertest.Claims) string
	bad    func(*issuertest.Issuer, issuertest.Bad, issuertest.Claims) string
}

var modes = []mode{
	{
		name: "JWT",
		issuer: func(iss *issuertest.Issuer) validator.Issuer {
			return validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}}
		},
		token: (*issuertest.Issuer).Token,
		bad:   (*issuertest.Issuer).Bad,
	},
	{
		name:   "JWT, or asked",
		issuer: both,
		token:  (*issuertest.Issuer).Token,
		bad:    (*issuertest.Issuer).Bad,
	},
	{
		name: "opaque",
		issuer: func(iss *issuertest.Issuer) validator.Issuer {
			return validator.Issuer{
				URL:      iss.URL(),
				Audience: []string{issuertest.Audience},
				Introspection: &introspection.Config{
					Endpoint: iss.IntrospectionURL(),
					Auth:     introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret)),
				},
			}
		},
		token: (*issuertest.Issuer).Opaque,
		bad:   (*issuertest.Issuer).BadOpaque,
	},
}

// newValidator makes one that ends with the test and tells nobody what it
// refused.
func newValidator(t testing.TB, issuer validator.Issuer) *validator.Validator {
	t.Helper()
	v, err := validator.New(validator.Config{
		Issuers:  []validator.Issuer{issuer},
		Observer: observe.Observer{Event: func(context.Context, *observe.Event) {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// answer is what is compared between the frameworks.
type answer struct {
	Status       int
	Challenges   []string
	ContentType  string
	CacheControl string
	Body         string
}

// ask sends a request with these Authorization headers over a real connection.
// It returns the header, too, for what is not the same each time.
func ask(t testing.TB, server *httptest.Server, method, target string, body io.Reader, authorization []string) (answer, http.Header) {
	t.Helper()
	return send(t, server, method, target, body, http.Header{"Authorization": authorization})
}

// send is ask with any header.
func send(t testing.TB, server *httptest.Server, method, target string, body io.Reader, header http.Header) (answer, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+target, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{
		Status:       response.StatusCode,
		Challenges:   response.Header.Values("WWW-Authenticate"),
		ContentType:  response.Header.Get("Content-Type"),
		CacheControl: response.Header.Get("Cache-Control"),
		Body:         string(text),
	}, response.Header
}
