package introspection_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// The vault is first, and the secret from before goes on serving until the server
// follows: a stranger whose tokens the server refuses with both, as it refuses
// credentials, does not have it given up.
func TestAStrangerDoesNotBreakARotation(t *testing.T) {
	for _, strangers := range []int{0, 1, 4} {
		t.Run(fmt.Sprint(strangers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var vault atomic.Value
				vault.Store("old")
				c := newClient(t, nil, func(cfg *introspection.Config) {
					cfg.Auth = introspection.ClientSecretBasic("api", current(&vault))
					cfg.HTTPClient = &http.Client{Transport: answering(func(req *http.Request) answer {
						_, secret, _ := req.BasicAuth()
						form := req.Clone(t.Context())
						form.Body, _ = req.GetBody()
						if secret != "old" || strings.HasPrefix(form.PostFormValue("token"), "odd") {
							return answer{status: 401}
						}
						return answer{body: activeBody}
					})}
				})
				know(t, c, "good", 2)
				vault.Store("new")
				elapse(31 * time.Second)
				var honest, known, odd tally
				for i := range 50 {
					for n := range strangers {
						odd.add(ask(t.Context(), c, "stranger", fmt.Sprint("odd", n, "-", i)))
					}
					honest.add(ask(t.Context(), c, "honest", fmt.Sprint("honest", i)))
					known.add(askFresh(t.Context(), c, "honest", "good0"))
					elapse(200 * time.Millisecond)
				}
				honest.want(t, "first sights", all(50, "active"))
				known.want(t, "a known token", all(50, "active"))
				if strangers > 0 {
					odd.want(t, "a stranger's tokens", all(50*strangers, "refused"))
				}
			})
		})
	}
}

// A certificate that had expired is replaced between a failure and its control: the
// answer to the control is no word on what was sent with the old one.
func TestACertificateThatIsReplacedRefusesNobody(t *testing.T) {
	for _, status := range []int{400, 401, 403} {
		for _, spent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, this second's control is spent: %v", status, spent), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var expired atomic.Bool
					u := newUpstream(func(token string) answer {
						if expired.Load() || token == "odd" {
							return answer{status: status, body: "<html>The SSL certificate error</html>", after: 5 * time.Millisecond}
						}
						return answer{body: activeBody, after: 5 * time.Millisecond}
					})
					c := newClient(t, u, func(cfg *introspection.Config) { cfg.Auth = introspection.TLSClientAuth("api") })
					know(t, c, "good", 2)
					if spent {
						ask(t.Context(), c, "stranger", "odd")
					}
					expired.Store(true)
					after := 500 * time.Millisecond
					if !spent {
						after = 6 * time.Millisecond
					}
					time.AfterFunc(after, func() { expired.Store(false) })
					if got := ask(context.Background(), c, "honest", "honest"); got == "refused" || spent && got != "active" {
						t.Errorf("a good token is %s", got)
					}
				})
			})
		}
	}
}
