package ginauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

type panickingResolver struct{}

func (panickingResolver) ResolveIssuer(context.Context, string) (validator.Issuer, error) {
	panic("a mistake in the resolver")
}

// TestSwallowedPanic: a middleware of the user's recovers a panic, answers
// nothing and does not abort. The handler must not run, and the answer is no 200.
func TestSwallowedPanic(t *testing.T) {
	iss := issuertest.New(t)
	foreign := issuertest.New(t)
	oops := func(http.ResponseWriter, *http.Request, *httpauth.Failure) { panic("a mistake in the error handler") }
	for name, tc := range map[string]struct {
		config  validator.Config
		handler func(http.ResponseWriter, *http.Request, *httpauth.Failure)
		token   string
		status  int
	}{
		"in ErrorHandler": {handler: oops, status: 500},
		"in ErrorHandler, after a status": {handler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) {
			w.WriteHeader(f.Status)
			panic("a mistake")
		}, status: 500},
		"in ErrorHandler, after the answer": {handler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) {
			f.Respond(w)
			panic("a mistake")
		}, status: 401},
		"in the Observer": {config: validator.Config{Observer: observe.Observer{Event: func(context.Context, *observe.Event) { panic("a mistake in the observer") }}}, status: 500},
		"in the Resolver": {config: validator.Config{Resolver: panickingResolver{}, Observer: observe.Observer{Event: func(context.Context, *observe.Event) {}}}, token: foreign.Token(issuertest.Claims{}), status: 500},
		"none":            {handler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) { w.WriteHeader(418) }, status: 418},
	} {
		t.Run(name, func(t *testing.T) {
			tc.config.Issuers = []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}}
			v, err := validator.New(tc.config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(v.Close)
			ran := false
			r := gin.New()
			r.Use(func(c *gin.Context) {
				defer func() { _ = recover() }()
				c.Next()
			})
			auth := ginauth.New(v, &httpauth.Config{ErrorHandler: tc.handler})
			r.GET("/orders", auth.Require(scopes.AnyToken()), func(*gin.Context) { ran = true })
			request := httptest.NewRequest("GET", "/orders", nil)
			if tc.token != "" {
				request.Header.Set("Authorization", "Bearer "+tc.token)
			}
			w := httptest.NewRecorder()
			r.ServeHTTP(w, request)
			if w.Code != tc.status || ran {
				t.Errorf("status %d, wanted %d; the handler ran: %v", w.Code, tc.status, ran)
			}
		})
	}
}
