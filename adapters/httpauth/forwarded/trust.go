package forwarded

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
)

// Trust says whose word counts. Make it with [Peers], [UnixSocket] or [Secret]; a zero
// one is refused, as none is.
type Trust struct {
	believes func(r *http.Request) (bool, error)
}

// Peers trusts whoever the connection itself comes from, if that address is in one
// of these networks. It needs [ConnContext]. A network that holds other machines
// than proxies lets them name any certificate. It panics without a network.
func Peers(networks ...netip.Prefix) Trust {
	if len(networks) == 0 || slices.ContainsFunc(networks, func(n netip.Prefix) bool { return !n.IsValid() }) {
		panic("forwarded: Peers: there is no network, or one that is none, wanted those that the proxies connect from")
	}
	networks = slices.Clone(networks)
	return Trust{func(r *http.Request) (bool, error) {
		peer, err := peerOf(r)
		if err != nil || !peer.addr.IsValid() {
			return false, err
		}
		return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(peer.addr) }), nil
	}}
}

// UnixSocket trusts connections over a Unix socket: who may connect is its file's
// permissions. It needs [ConnContext].
func UnixSocket() Trust {
	return Trust{func(r *http.Request) (bool, error) {
		peer, err := peerOf(r)
		return peer.unix, err
	}}
}

// Secret trusts who sends one of these secrets, of at least 16 bytes, in a field of
// this name: for proxies whose address says nothing, such as a sidecar on the
// loopback interface that other programs share. Two of them let one be changed
// without a gap. The field is removed from the request, so that no handler and no log
// sees it: of two httpauth.Middleware in the way of one request, the first alone finds it.
// It panics if the name is empty or a secret shorter.
func Secret(field string, secrets ...string) Trust {
	if field == "" || len(secrets) == 0 {
		panic("forwarded: Secret: the field or the secrets are empty, wanted a field's name and at least one secret")
	}
	var sums [][sha256.Size]byte
	for _, secret := range secrets {
		if len(secret) < minSecret {
			panic("forwarded: Secret: a secret has less than 16 bytes, wanted one that nobody guesses")
		}
		sums = append(sums, sha256.Sum256([]byte(secret)))
	}
	return Trust{func(r *http.Request) (bool, error) {
		lines := r.Header.Values(field)
		r.Header.Del(field)
		if len(lines) != 1 {
			return false, nil
		}
		got, known := sha256.Sum256([]byte(lines[0])), 0
		for _, sum := range sums {
			known |= subtle.ConstantTimeCompare(got[:], sum[:])
		}
		return known == 1, nil
	}}
}

const minSecret = 16

// peer is the other end of a connection.
type peer struct {
	addr netip.Addr // not valid for a Unix socket
	unix bool
}

type peerKey struct{}

// ConnContext is for [http.Server.ConnContext]. It notes who is on the other end of a
// connection, where no header and no middleware reaches. A listener that reads the
// PROXY protocol changes that to what its own peer says.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return PeerContext(ctx, c.RemoteAddr())
}

// PeerContext is ConnContext for adapters of protocols whose servers tell the address of
// the connection's other end themselves, such as gRPC's. One that a header or a middleware
// can change is none.
func PeerContext(ctx context.Context, remote net.Addr) context.Context {
	var p peer
	switch a := remote.(type) {
	case *net.TCPAddr:
		p.addr = a.AddrPort().Addr().Unmap().WithZone("")
	case *net.UnixAddr:
		p.unix = true
	}
	return context.WithValue(ctx, peerKey{}, p)
}

// peerOf is the other end of the connection that r came on.
func peerOf(r *http.Request) (peer, error) {
	p, ok := r.Context().Value(peerKey{}).(peer)
	if !ok {
		return peer{}, errNoConnContext
	}
	return p, nil
}

// whence is where a request came from, for words.
func whence(r *http.Request) string {
	switch p, err := peerOf(r); {
	case err != nil:
		return ""
	case p.unix:
		return " from a Unix socket"
	default:
		return " from " + p.addr.String()
	}
}
