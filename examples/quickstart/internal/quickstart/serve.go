package quickstart

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// serve prints lines to paste into a shell, and waits until ctx ends. The operator
// listens at addr.
func serve(ctx context.Context, d *demo, addr string, s Screen) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	host := listener.Addr().String()
	server := &http.Server{Handler: d.operator(host), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()

	d.guardIssuer()
	introduce(s, d)
	for _, p := range pastes(d, "http://"+host) {
		s.printf("\n%s\n", s.paint(bold, p.what))
		for _, line := range p.lines {
			s.printf("  %s\n", s.paint(cyan, line))
		}
	}
	s.printf("\nCtrl-C ends it. What the API logs follows, with the reason why it refuses, and\n" +
		"goes to standard error: with 2>log.txt into a file.\n\n")

	<-ctx.Done()
	_ = server.Close() // whoever is still there has been told to expect it
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// paste is lines that go into a shell as they are, and what they do.
type paste struct {
	what  string
	lines []string
}

// pastes are in an order in which each finds what it needs.
func pastes(d *demo, operator string) []paste {
	names := paste{what: "First of all, in another terminal:", lines: []string{
		"ISSUER=" + d.issuer.URL() + " API=" + d.apis[0].url,
		"OPERATOR=" + operator + " GRANT=grant_type=client_credentials",
	}}
	ask := func(variable string, k kind) string {
		return fmt.Sprintf(`%s=$(curl -su %s:%s -d $GRANT $ISSUER/token | cut -d\" -f4)`, variable, k.clientID, clientSecret)
	}
	const (
		call       = `curl -iH "Authorization: Bearer $TOKEN" $API/orders`
		callOpaque = `curl -iH "Authorization: Bearer $OPAQUE" $API/orders`
	)
	all := []paste{
		names,
		{"A JWT, and an opaque token:", []string{ask("TOKEN", jwt), ask("OPAQUE", opaque)}},
		{"No token: 401. With one: 200. Another scope is needed: 403.", []string{
			"curl -i $API/orders", call, callOpaque, `curl -iH "Authorization: Bearer $TOKEN" -X POST $API/orders`,
		}},
		{"Keys rotated: a new token, and 200.", []string{"curl -X POST $OPERATOR/rotate", ask("TOKEN", jwt), call}},
		{"Revoked: 200 for a second at most, then 401.", []string{
			fmt.Sprintf("curl -su %s:%s -d token=$OPAQUE $ISSUER/revoke", opaque.clientID, clientSecret), "sleep 1", callOpaque,
		}},
		{"Client killed: 401, its new tokens, too. Lifted: 200.", []string{
			"curl -d client=" + jwt.clientID + " $OPERATOR/kill", call, "curl -d client=" + jwt.clientID + " $OPERATOR/lift", call,
		}},
	}
	if len(d.apis) > 1 {
		others := paste{what: "The same on the other frameworks, from the second step on:"}
		for _, a := range d.apis[1:] {
			others.lines = append(others.lines, "API="+a.url)
		}
		all = append(all, others)
	}
	return all
}
