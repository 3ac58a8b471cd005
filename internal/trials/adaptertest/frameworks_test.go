package adaptertest_test

import (
	"context"
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
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// routes are served by every framework, for every method.
var routes = map[string]scopes.Rule{
	"/orders": scopes.All("orders:read"),
	"/export": scopes.All("orders:read", "orders:export"),
	"/either": scopes.Any("orders:admin", "orders:read"),
	"/any":    scopes.AnyToken(),
	"/nobody": {},
	"/none":   scopes.All(),
}

// The routes under /group/ need this for the group; /group/write needs a second
// rule of its own, /group/read does not.
var (
	groupRule = scopes.All("orders:read")
	writeRule = scopes.All("orders:write")
)

// framework is an API built with one of the adapters.
type framework struct {
	name string
	api  func(v *validator.Validator, cfg *httpauth.Config) http.Handler
}

var frameworks = []framework{
	{"net/http", netHTTP},
	{"chi", onChi},
	{"Echo", onEcho},
	{"Gin", onGin},
}

// handle is what runs behind every route. It says who was let in; byContext and
// byFramework are the two ways to know.
func handle(w http.ResponseWriter, byContext, byFramework *validator.Token) {
	if byContext == nil || byContext != byFramework {
		http.Error(w, "the handler runs without a token", http.StatusInternalServerError)
		return
	}
	_, _ = fmt.Fprintf(w, "%s may %s", byContext.ClientID(), byContext.Scopes())
}

func serve(w http.ResponseWriter, r *http.Request) {
	token := validator.FromContext(r.Context())
	handle(w, token, token)
}

func netHTTP(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	auth := httpauth.New(v, cfg)
	mux := http.NewServeMux()
	for path, rule := range routes {
		mux.Handle(path, auth.Require(rule)(http.HandlerFunc(serve)))
	}
	group := http.NewServeMux()
	group.HandleFunc("/group/read", serve)
	group.Handle("/group/write", auth.Require(writeRule)(http.HandlerFunc(serve)))
	mux.Handle("/group/", auth.Require(groupRule)(group))
	return mux
}

func onChi(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	auth := httpauth.New(v, cfg)
	router := chi.NewRouter()
	for path, rule := range routes {
		router.With(auth.Require(rule)).HandleFunc(path, serve)
	}
	router.Route("/group", func(group chi.Router) {
		group.Use(auth.Require(groupRule))
		group.HandleFunc("/read", serve)
		group.With(auth.Require(writeRule)).HandleFunc("/write", serve)
	})
	return router
}

func onEcho(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	auth := echoauth.New(v, cfg)
	handler := func(c echo.Context) error {
		handle(c.Response(), validator.FromContext(c.Request().Context()), echoauth.Token(c))
		return nil
	}
	e := echo.New()
	for path, rule := range routes {
		e.Any(path, handler, auth.Require(rule))
	}
	group := e.Group("/group")
	group.Use(auth.Require(groupRule))
	group.Any("/read", handler)
	group.Any("/write", handler, auth.Require(writeRule))
	return e
}

func onGin(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	auth := ginauth.New(v, cfg)
	handler := func(c *gin.Context) {
		handle(c.Writer, validator.FromContext(c.Request.Context()), ginauth.Token(c))
	}
	engine := gin.New()
	for path, rule := range routes {
		engine.Any(path, auth.Require(rule), handler)
	}
	group := engine.Group("/group")
	group.Use(auth.Require(groupRule))
	group.Any("/read", handler)
	group.Any("/write", auth.Require(writeRule), handler)
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
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+target, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header["Authorization"] = authorization
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
