package main

import (
	"context"
	"fmt"
	"io"
)

// serve prints curl lines and waits until ctx ends.
func serve(ctx context.Context, d *demo, w io.Writer) {
	introduce(w, d)
	fmt.Fprintf(w, "\n# Tokens, a JWT and an opaque one:\n")
	for _, k := range kinds {
		fmt.Fprintln(w, d.tokenLine(k))
	}
	for _, a := range d.apis {
		orders := a.url + "/orders"
		fmt.Fprintf(w, "\n# %s: no token, a JWT, an opaque token, and a request that needs another scope.\n", a.name)
		fmt.Fprintf(w, "curl -i %s\n", orders)
		for _, k := range kinds {
			fmt.Fprintf(w, "curl -i -H \"Authorization: Bearer %s\" %s\n", d.tokenIn(k), orders)
		}
		fmt.Fprintf(w, "curl -i -X POST -H \"Authorization: Bearer %s\" %s\n", d.tokenIn(jwt), orders)
	}
	fmt.Fprintf(w, "\nCtrl-C ends it.\n\n")
	<-ctx.Done()
}

// tokenLine is a shell command that asks the issuer for a token.
func (d *demo) tokenLine(k kind) string {
	return fmt.Sprintf("curl -s -u %s:%s -d 'grant_type=client_credentials&scope=orders:read' %s", k.clientID, k.clientSecret, d.issuer.TokenURL())
}

// tokenIn is what a shell replaces with a new token.
func (d *demo) tokenIn(k kind) string {
	return fmt.Sprintf(`$(%s | sed 's/.*access_token":"//; s/".*//')`, d.tokenLine(k))
}
