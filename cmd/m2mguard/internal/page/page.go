// Package page is "m2mguard explain" on a page that this machine serves to itself: a form
// that takes a token, and the table of its checks. What it takes is as good as a
// password, so it answers nobody but a browser that this machine's user pointed at the
// address that was printed, keeps nothing, and sends nothing on (guard.go).
package page

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/m2mguard/m2mguard/validator"
)

// Config is what the page is made of.
type Config struct {
	_ [0]func()

	// Explain makes the checks of what was filled in, or says which fields are wrong. It
	// is called by several requests at a time, maxUnderWay at most.
	Explain func(context.Context, Form) (validator.Explanation, []Fault)

	// Timeout is how long one call of Explain may take.
	Timeout time.Duration

	// File and Issuers are what tokens are held against, to be shown.
	File    string
	Issuers []string

	// Offline says that nobody is asked, whatever the form says.
	Offline bool
}

// Form is what was filled in, as it was typed. An empty field was left out.
type Form struct {
	Token       string `json:"token"`
	Scheme      string `json:"scheme"`
	Scope       string `json:"scope"`       // scopes that the route needs, with blanks between them
	Audience    string `json:"audience"`    // what the route narrows the issuer's to, with blanks between them
	At          string `json:"at"`          // another time than now, RFC 3339
	Method      string `json:"method"`      // of the request, for its proof
	URL         string `json:"url"`         // its public URL, for its proof
	Proof       string `json:"proof"`       // the DPoP proof that came with it
	Certificate string `json:"certificate"` // the client's, in PEM
	Offline     bool   `json:"offline"`     // ask nobody
}

// Fault is a field that cannot be read.
type Fault struct {
	Field string `json:"field"` // its name in Form's JSON
	Text  string `json:"text"`  // what was wanted; never what was typed
}

const (
	// headerWait and bodyWait bound how long a request may take to arrive: a browser on
	// this machine sends all of it at once.
	headerWait = 5 * time.Second
	bodyWait   = 10 * time.Second
	// idleWait is how long a connection is kept that asks nothing.
	idleWait = time.Minute
	// writeWait is how long an answer may take beyond Config.Timeout.
	writeWait = 10 * time.Second
	// maxHeader bounds a request's header, in bytes: a browser's is less than 2 KiB.
	maxHeader = 16 << 10
	// grace is how long requests that are under way have to notice that the page ends.
	grace = 2 * time.Second
)

// Serve serves the page at a port of the loopback address until ctx ends. It tells ready
// the page's address, once: who knows its path may ask. The error is why there is no
// page, or nil when ctx has ended it.
func Serve(ctx context.Context, c Config, ready func(address string)) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	host, path := l.Addr().String(), "/"+rand.Text()+"/"
	server := newServer(ctx, newHandler(c, host, path), c.Timeout)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	ready("http://" + host + path)
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if server.Shutdown(last) != nil {
		_ = server.Close() // who still reads has had its time
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newServer is bounded in every time and size, and writes no log. Its requests end with
// ctx.
func newServer(ctx context.Context, h http.Handler, timeout time.Duration) *http.Server {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerWait,
		ReadTimeout:       bodyWait,
		WriteTimeout:      bodyWait + timeout + writeWait,
		IdleTimeout:       idleWait,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(io.Discard, "", 0),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	return server
}
