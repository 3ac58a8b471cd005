package adaptertest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
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

// TestRevoked: each gate refuses a revoked token, the one that only reports included,
// whether it was let in before or not, and goes on with those of others.
func TestRevoked(t *testing.T) {
	revoked := invalidToken("The access token was revoked.")
	for _, m := range modes {
		for _, f := range frameworks {
			t.Run(m.name+"/"+f.name, func(t *testing.T) {
				iss, list := issuertest.New(t), newList(t, revocation.Config{})
				var mu sync.Mutex
				var opened int
				v := revocable(t, m.issuer(iss), list, func(e *observe.Event) {
					mu.Lock()
					defer mu.Unlock()
					if e.Check == string(validator.CheckRevoked) && e.ReportOnly {
						opened++
					}
				})
				server := httptest.NewServer(f.api(v, nil, serve))
				t.Cleanup(server.Close)
				bad := issuertest.Claims{ClientID: "compromised", Scope: "orders:read orders:write"}
				seen, fresh := m.token(iss, bad), m.token(iss, bad)
				good := m.token(iss, issuertest.Claims{Scope: "orders:read"})
				// gates are the paths that this issuer allows.
				var gates []string
				for _, gate := range gatePaths {
					if gate != "/fresh" || v.CanVerifyFresh() == nil {
						gates = append(gates, gate)
					}
				}
				passes := letIn("orders:read orders:write")
				passes.Body = "compromised may orders:read orders:write"
				for _, gate := range gates {
					want := passes
					if gate == "/bound" {
						want = bound
					}
					(row{authorization: bearer(seen), want: want}).run(t, server, gate)
				}
				revoke(t, list, revocation.Block(revocation.Client(iss.URL(), "compromised")))
				for _, gate := range gates {
					for _, token := range []string{seen, fresh} {
						got, _ := ask(t, server, "GET", gate+"/orders", nil, bearer(token))
						if got.Status != revoked.Status || got.Body != revoked.Body || len(got.Challenges) != 1 || got.Challenges[0] != revoked.Challenges[0] {
							t.Errorf("%s: %+v, wanted %+v", gate, got, revoked)
						}
						got, _ = ask(t, server, "GET", gate+"/group/write", nil, bearer(token))
						if got.Status != 401 || got.Body != revoked.Body {
							t.Errorf("%s, group: %+v, wanted %+v", gate, got, revoked)
						}
					}
					if gate != "/bound" {
						(row{authorization: bearer(good), want: letIn("orders:read")}).run(t, server, gate)
					}
				}
				mu.Lock()
				defer mu.Unlock()
				if opened > 0 {
					t.Errorf("%d refusals are told as let through", opened)
				}
			})
		}
	}
}

// TestListNotThere: before the list was filled for the first time the answer is 503, and
// a route that only reports lets through, as in any outage.
func TestListNotThere(t *testing.T) {
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			iss := issuertest.New(t)
			list, err := revocation.New(revocation.Config{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(list.Close)
			server := httptest.NewServer(f.api(revocable(t, both(iss), list, func(*observe.Event) {}), nil, serve))
			t.Cleanup(server.Close)
			for _, gate := range gatePaths {
				for _, r := range []row{
					{authorization: bearer(iss.Token(issuertest.Claims{Scope: "orders:read"})), want: unavailable},
					{authorization: bearer(iss.Opaque(issuertest.Claims{Scope: "orders:read"})), want: unavailable},
					{authorization: nil, want: unauthorized},
				} {
					r.run(t, server, gate)
				}
			}
		})
	}
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
