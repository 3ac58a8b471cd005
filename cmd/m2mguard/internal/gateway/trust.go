package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/netip"
	"slices"
)

// fieldSecret is where the proxy shows that it is the proxy.
const fieldSecret = "X-Auth-Secret"

// leastSecret is how long a secret must be, in bytes.
const leastSecret = 16

// errStranger is a question of somebody else than the proxy.
var errStranger = errors.New("the question is not the proxy's: it comes from none of the networks of serve.from, or shows no secret of serve.secrets")

// trusts reports whether it is the proxy that asks.
func (g *Gateway) trusts(r *http.Request) bool {
	shown := r.Header[fieldSecret]
	delete(r.Header, fieldSecret)
	if len(g.secrets) > 0 {
		if len(shown) != 1 {
			return false
		}
		sum, good := sha256.Sum256([]byte(shown[0])), 0
		for _, s := range g.secrets {
			good |= subtle.ConstantTimeCompare(sum[:], s[:])
		}
		if good == 0 {
			return false
		}
	}
	if g.unix || len(g.from) == 0 {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && slices.ContainsFunc(g.from, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) })
}
