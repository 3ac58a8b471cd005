package quickstart

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// operator is what -serve lets be done to the demo from a shell: keys rotated, a
// client blocked and let in again. It answers at this host and port alone.
func (d *demo) operator(host string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rotate", func(w http.ResponseWriter, r *http.Request) {
		d.issuer.Rotate()
		fmt.Fprintln(w, "The issuer signs with new keys.")
	})
	mux.HandleFunc("POST /kill", d.sends(revocation.Block, "blocked"))
	mux.HandleFunc("POST /lift", d.sends(revocation.Lift, "let in again"))
	return fromShell(host, mux)
}

// sends has all instances told of a client.
func (d *demo) sends(entry func(revocation.Target) revocation.Entry, what string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		client := r.PostFormValue("client")
		if !slices.ContainsFunc(kinds, func(k kind) bool { return k.clientID == client }) {
			http.Error(w, "client must be "+jwt.clientID+" or "+opaque.clientID, http.StatusBadRequest)
			return
		}
		instances, err := d.kill.send(entry(revocation.Client(d.issuer.URL(), client)))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "%s is %s; instances that were told: %d\n", client, what, instances)
	}
}

// guardIssuer has the issuer's endpoints answer a shell alone, too: they hand out tokens,
// which a 404 does not.
func (d *demo) guardIssuer() {
	host := strings.TrimPrefix(d.issuer.URL(), "http://")
	for _, e := range []issuertest.Endpoint{
		issuertest.Discovery, issuertest.JWKS, issuertest.TokenEndpoint, issuertest.Introspection, issuertest.Revocation,
	} {
		d.issuer.SetFault(e, func(w http.ResponseWriter, r *http.Request, healthy http.Handler) {
			fromShell(host, healthy).ServeHTTP(w, r)
		})
	}
}

// maxForm bounds what an operator may send, in bytes.
const maxForm = 1 << 10

// fromShell refuses what a page in a browser sends, which can reach loopback addresses
// as well as a shell on this machine can. A browser says where each POST comes from
// (RFC 6454 §7; W3C Fetch Metadata), and one whose name for another site was made to
// lead here (DNS rebinding) asks for that name.
func fromShell(host string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != host || r.Header["Origin"] != nil || r.Header["Sec-Fetch-Site"] != nil {
			http.Error(w, "this answers curl on this machine alone", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}
