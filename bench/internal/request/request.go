// Package request runs whole requests through the frameworks that m2mguard has
// adapters for, in process: router, middleware and handler, without a socket and
// without a recorder of the answer. What a protected route costs is the
// difference to the same handler unprotected.
package request

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// Path is the one route of each server, and Body what its handler writes.
const Path = "/orders"

// Body is JSON.
var Body = []byte(`{"orders":[]}`)

// Framework is one way to serve HTTP.
type Framework struct {
	Name string
	// Modules are the import paths whose versions the report names.
	Modules []string
	// Unprotected and Protected serve the same handler.
	Unprotected, Protected http.Handler
}

// Frameworks are net/http, Echo and Gin, protected by v.
func Frameworks(v *validator.Validator) []Framework {
	return []Framework{
		{Name: "net/http", Unprotected: Mux(nil), Protected: Mux(httpauth.New(v, nil).Require(rule()))},
		{Name: "Echo", Modules: []string{"github.com/labstack/echo/v4"}, Unprotected: NewEcho(), Protected: NewEcho(echoauth.New(v, nil).Require(rule()))},
		{Name: "Gin", Modules: []string{"github.com/gin-gonic/gin"}, Unprotected: newGin(), Protected: newGin(ginauth.New(v, nil).Require(rule()))},
	}
}

func rule() scopes.Rule { return scopes.All(fixture.Scope) }

// Mux is net/http's server with one middleware, or with none if it is nil.
func Mux(protect func(http.Handler) http.Handler) http.Handler {
	var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(Body) // who is gone needs no answer
	})
	if protect != nil {
		handler = protect(handler)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+Path, handler)
	return mux
}

// NewEcho is Echo with middlewares, or with none.
func NewEcho(protect ...echo.MiddlewareFunc) http.Handler {
	e := echo.New()
	e.GET(Path, func(c echo.Context) error { return c.JSONBlob(http.StatusOK, Body) }, protect...)
	return e
}

func newGin(protect ...gin.HandlerFunc) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET(Path, append(protect, func(c *gin.Context) { c.Data(http.StatusOK, "application/json", Body) })...)
	return r
}

// Worker returns an operation for one goroutine: one request with raw as its
// bearer token, which must be answered with status. An empty raw sends none.
// Request and writer are used again and again, as both are the server's to make.
func Worker(handler http.Handler, raw string, status int) func() func(int) error {
	return func() func(int) error {
		r, err := http.NewRequest(http.MethodGet, Path, nil)
		if err != nil {
			panic("request: " + err.Error()) // all of it is constant
		}
		if raw != "" {
			r.Header.Set("Authorization", "Bearer "+raw)
		}
		w := &sink{header: make(http.Header)}
		return func(int) error {
			w.status = 0
			clear(w.header)
			handler.ServeHTTP(w, r)
			if w.status != status {
				return fmt.Errorf("status %d, wanted %d", w.status, status)
			}
			return nil
		}
	}
}

// sink is a writer that keeps the status alone.
type sink struct {
	header http.Header
	status int
}

var _ http.ResponseWriter = (*sink)(nil)

func (s *sink) Header() http.Header            { return s.header }
func (s *sink) WriteHeader(status int)         { s.status = status }
func (s *sink) Write(data []byte) (int, error) { return len(data), nil }
