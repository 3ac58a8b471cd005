package echov5auth_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/m2mguard/m2mguard/adapters/echov5auth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// An access log: request id, client id and reason of each refusal.
func ExampleMiddleware_accessLog() {
	auth, token, stop := recipe(&httpauth.Config{ErrorHandler: func(w http.ResponseWriter, r *http.Request, f *httpauth.Failure) {
		client := "-" // what a bad token says is nobody's word
		if f.Token != nil {
			client = f.Token.ClientID()
		}
		fmt.Println(w.Header().Get(echo.HeaderXRequestID), client, f.Status, f.Err.Check())
		f.Respond(w)
	}})
	defer stop()
	e := echo.New()
	e.Use(middleware.RequestID())
	auth.Handle(e, "GET", "/orders", scopes.All("orders:read"), listOrders)
	send(e, "GET", "/orders", "")
	send(e, "GET", "/orders", token("orders:write"))
	// Output:
	// request-1 - 401 missing
	// request-1 m2m-client 403 scope
}

// A tenant reads its own orders alone.
func ExampleMiddleware_Deny_tenant() {
	auth, token, stop := recipe(nil)
	defer stop()
	e := echo.New()
	auth.Handle(e, "GET", "/tenants/:tenant/orders", scopes.All("orders:read"), func(c *echo.Context) error {
		if tenant := echov5auth.Token(c).Tenant(); tenant != c.Param("tenant") {
			return auth.Deny(c, fmt.Errorf("these are not the orders of tenant %q", tenant))
		}
		return listOrders(c)
	})
	fmt.Println(send(e, "GET", "/tenants/acme/orders", token("orders:read")))
	fmt.Println(send(e, "GET", "/tenants/evil/orders", token("orders:read")))
	// Output:
	// 200 orders for m2m-client
	// 403 {"error":"access_denied","error_description":"This API does not let the client of the access token do this."}
}

// Refusals as problem details (RFC 9457), by Echo's own handler of errors.
func ExampleError_ProblemError() {
	auth, _, stop := recipe(nil)
	defer stop()
	e := echo.New()
	e.HTTPErrorHandler = echo.ProblemDetailsHTTPErrorHandler(false)
	auth.Handle(e, "GET", "/orders", scopes.All("orders:read"), listOrders)
	fmt.Println(send(e, "GET", "/orders", ""))
	// Output: 401 {"type":"about:blank","title":"Unauthorized","status":401,"detail":"No access token was sent."}
}

// An API's own handler of errors, for refusals and everything else.
func ExampleError() {
	auth, _, stop := recipe(nil)
	defer stop()
	e := echo.New()
	e.HTTPErrorHandler = func(c *echo.Context, err error) {
		if response, _ := echo.UnwrapResponse(c.Response()); response != nil && response.Committed {
			return // a middleware that logs may have had it answered
		}
		detail := "-"
		if refused, ok := errors.AsType[*echov5auth.Error](err); ok {
			detail = refused.Failure.Body.Description
		}
		_ = c.String(max(echo.StatusCode(err), 400), detail)
	}
	auth.Handle(e, "GET", "/orders", scopes.All("orders:read"), listOrders)
	fmt.Println(send(e, "GET", "/orders", ""), send(e, "GET", "/nowhere", ""))
	// Output: 401 No access token was sent. 404 -
}

// A CORS preflight carries no token: Echo's middleware
// answers it before the gate, and marks refusals, too.
func ExampleMiddleware_Require_preflight() {
	auth, _, stop := recipe(nil)
	defer stop()
	e := echo.New()
	e.Use(middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins: []string{"https://app.example.test"},
		AllowHeaders: []string{echo.HeaderAuthorization},
	}))
	auth.Handle(e, "GET", "/orders", scopes.All("orders:read"), listOrders)
	fmt.Println(send(e, "OPTIONS", "/orders", ""))
	fmt.Println(send(e, "GET", "/orders", ""))
	// Output:
	// 204
	// 401 {"error":"unauthorized","error_description":"No access token was sent."}
}

// recipe makes a middleware, and tokens of tenant acme for it.
func recipe(cfg *httpauth.Config) (auth *echov5auth.Middleware, token func(scope string) string, stop func()) {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{
		URL: iss.URL(), Audience: []string{issuertest.Audience}, Profile: validator.Profile{TenantClaim: "tenant"},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	token = func(scope string) string {
		return iss.Token(issuertest.Claims{Scope: scope, Extra: map[string]any{"tenant": "acme"}})
	}
	return echov5auth.New(v, cfg), token, func() { v.Close(); iss.Close() }
}

// send asks an API, and returns what it answers.
func send(api http.Handler, method, target, token string) string {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("X-Request-Id", "request-1")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return strings.TrimSpace(fmt.Sprintf("%d %s", w.Code, w.Body))
}
