package quickstart

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// crowd is how many clients meet a cold instance, each with a token of its own.
const crowd = 5000

// coldStart starts an instance and lets the whole crowd in at once. The requests are
// handed to it without sockets, so that no limit of open files is in the way; each has
// an address of its own, as those of so many machines would.
func coldStart(ctx context.Context, d *demo) (string, error) {
	tokens := make([]string, crowd)
	for i := range tokens {
		tokens[i] = d.issuer.Token(issuertest.Claims{
			ClientID: fmt.Sprintf("client-%d", i), Audience: []string{audience}, Scope: "orders:read",
			Algorithm: "ES256", // much cheaper to sign than RS256: here both sides pay
		})
	}
	cold, err := d.startAPI(NetHTTP, loopback(false, 0))
	if err != nil {
		return "", err
	}
	defer cold.close()
	before := d.issuer.Requests(issuertest.JWKS)

	var again atomic.Int64
	var group errgroup.Group
	began := time.Now()
	for i, token := range tokens {
		from := fmt.Sprintf("10.0.%d.%d:50000", i/250, i%250)
		group.Go(func() error { return enter(ctx, cold, from, token, &again) })
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	took := time.Since(began)
	if fetches := d.issuer.Requests(issuertest.JWKS) - before; fetches != 1 {
		return "", fmt.Errorf("the key set was fetched %d times, expected once", fetches)
	}
	if n := again.Load(); n > 0 { // a machine that verifies fewer in VerifyWait
		return fmt.Sprintf("All were let in within %.1f s, by one fetch; %d after a 503.", took.Seconds(), n), nil
	}
	return fmt.Sprintf("All were let in within %.1f s, by one fetch of the key set.", took.Seconds()), nil
}

// enter calls an API until it lets a token in. A client that is told to come again does
// so.
func enter(ctx context.Context, a *api, from, token string, again *atomic.Int64) error {
	for {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders", nil)
		r.RemoteAddr = from
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		a.server.Handler.ServeHTTP(w, r)
		switch {
		case w.Code == http.StatusOK:
			return nil
		case w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1":
			return fmt.Errorf("one of %d clients was answered %d: %s", crowd, w.Code, w.Body)
		}
		again.Add(1)
		if err := wait(ctx, time.Second); err != nil {
			return err
		}
	}
}
