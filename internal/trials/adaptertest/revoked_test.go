package adaptertest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// newList is a list of revocations that is up to date.
func newList(t testing.TB, c revocation.Config) *revocation.List {
	t.Helper()
	list, err := revocation.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(list.Close)
	list.Current(time.Now())
	return list
}

func revoke(t testing.TB, list *revocation.List, e revocation.Entry) {
	t.Helper()
	record, err := list.Record(e, 1)
	if err == nil {
		err = list.Merge(record)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// revocable is a validator that asks a list.
func revocable(t testing.TB, issuer validator.Issuer, list *revocation.List, told func(*observe.Event)) *validator.Validator {
	t.Helper()
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{issuer}, Revocations: list,
		Observer: observe.Observer{Event: func(_ context.Context, e *observe.Event) { told(e) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// TestStaleByRoute: what happens while the list is stale is the middleware's choice, or
// the route's own.
func TestStaleByRoute(t *testing.T) {
	for name, tc := range map[string]struct {
		ofAll, own revocation.WhenStale
		status     int
	}{
		"neither":                     {0, 0, 200},
		"all refuse":                  {revocation.StaleRefuse, 0, 503},
		"the route refuses":           {0, revocation.StaleRefuse, 503},
		"the route goes on":           {revocation.StaleRefuse, revocation.StaleGoOn, 200},
		"the route asks its issuer":   {revocation.StaleRefuse, revocation.StaleAskIssuer, 200},
		"all ask their issuer":        {revocation.StaleAskIssuer, 0, 200},
		"all ask, the route does not": {revocation.StaleAskIssuer, revocation.StaleRefuse, 503},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				list := newList(t, revocation.Config{})
				issuer := both(iss)
				issuer.Keys.HTTPClient, issuer.Introspection.HTTPClient = iss.Client(), iss.Client()
				v := revocable(t, issuer, list, func(*observe.Event) {})
				<-time.After(revocation.DefaultStaleAfter + time.Second)
				r := httptest.NewRequest("GET", "/", nil)
				r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
				w := httptest.NewRecorder()
				httpauth.New(v, &httpauth.Config{Stale: tc.ofAll}).Gate(httpauth.Gate{Rule: readRule, Stale: tc.own})(http.HandlerFunc(serve)).ServeHTTP(w, r)
				if w.Code != tc.status {
					t.Errorf("%d, wanted %d", w.Code, tc.status)
				}
				if asks := tc.own == revocation.StaleAskIssuer || tc.own == 0 && tc.ofAll == revocation.StaleAskIssuer; (iss.Requests(issuertest.Introspection) == 1) != asks {
					t.Errorf("the issuer was asked %d times", iss.Requests(issuertest.Introspection))
				}
			})
		})
	}
}

// TestStreamsEndWithTheirToken: what RequireLive let in ends when its client is revoked,
// over HTTP/1.1 and HTTP/2, with the reason in the handler's context; that of others goes
// on, and so does what another gate let in.
func TestStreamsEndWithTheirToken(t *testing.T) {
	iss := issuertest.New(t)
	for _, m := range modes {
		for _, f := range frameworks {
			for _, http2 := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%v", m.name, f.name, http2), func(t *testing.T) {
					list := newList(t, revocation.Config{})
					v := revocable(t, m.issuer(iss), list, func(*observe.Event) {})
					causes := make(chan error, 3)
					server := httptest.NewUnstartedServer(f.api(v, nil, func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Content-Type", "text/event-stream")
						_, _ = io.WriteString(w, "data: open\n\n")
						_ = http.NewResponseController(w).Flush()
						<-r.Context().Done()
						causes <- context.Cause(r.Context())
					}))
					server.EnableHTTP2 = http2
					server.StartTLS()
					t.Cleanup(server.Close)
					open := func(path, client string) (body io.ReadCloser) {
						r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+path, nil)
						if err != nil {
							t.Fatal(err)
						}
						r.Header["Authorization"] = bearer(m.token(iss, issuertest.Claims{ClientID: client, Subject: client, Scope: "orders:read"}))
						response, err := server.Client().Do(r)
						if err != nil || response.StatusCode != 200 {
							t.Fatal(response, err)
						}
						if _, err := io.ReadFull(response.Body, make([]byte, len("data: open\n\n"))); err != nil {
							t.Fatal(err)
						}
						return response.Body
					}
					ended, other, plain := open("/live/orders", "compromised"), open("/live/group/read", "good"), open("/require", "compromised")
					if n := v.Stats().Streams; n != 2 {
						t.Errorf("%d streams are open, wanted 2", n)
					}
					revoke(t, list, revocation.Block(revocation.Client(iss.URL(), "compromised")))
					if rest, err := io.ReadAll(ended); err != nil || len(rest) > 0 {
						t.Errorf("%q, %v", rest, err)
					}
					cause, ok := errors.AsType[*validator.Error](<-causes)
					if !ok || cause.Check() != validator.CheckRevoked {
						t.Errorf("the handler's context ended with %v", cause)
					}
					if n := v.Stats().Streams; n != 1 || len(causes) > 0 {
						t.Errorf("%d streams are open, wanted 1; %d more ended", n, len(causes))
					}
					_ = other.Close()
					_ = plain.Close()
					for range 2 {
						if err := <-causes; !errors.Is(err, context.Canceled) {
							t.Errorf("a client that went: %v", err)
						}
					}
				})
			}
		}
	}
}
