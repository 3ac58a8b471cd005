package introspection

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"reflect"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
)

// A secret rotates in two places, at the server and in the vault that this
// process reads, and never in both at the same instant. Until both have changed,
// one of them knows a secret that the other does not, and no request needs to
// fail for that.
const (
	// rotationWait is how long a refused call waits for the vault to follow the
	// server. It holds no turn meanwhile.
	rotationWait = 200 * time.Millisecond
	rotationPoll = 10 * time.Millisecond
	// acceptedFor is how old the note of a secret's success may become, so that a
	// busy endpoint does not cause one for each answer.
	acceptedFor = 100 * time.Millisecond
)

// acceptedSecret is the client secret that the endpoint took last, and when it
// was sent.
type acceptedSecret struct {
	secret string
	sentAt time.Time
}

// sent is a request and what came of it.
type sent struct {
	req   *Request
	at    time.Time
	event uint64     // of the controls, when it was sent
	vault credential // what Config.Auth had, if another one was tried last
	res   fetch.Response
	err   error
}

// sendAuthenticated sends req, and again with other credentials that are at hand
// if those may have been refused.
func (c *Client) sendAuthenticated(ctx context.Context, req *Request) sent {
	s := c.sendOnce(ctx, req)
	if s.refused() {
		last := c.accepted.Load()
		again, err := c.request(ctx, req.Endpoint, req.Form.Get("token"))
		switch {
		case err == nil && c.differ(again, req): // it rotated while the request was under way
			s = c.sendOnce(ctx, again)
		case req.secretOf == nil || last == nil || last.secret == req.secret:
		default: // the vault was first, and the one accepted last goes on serving
			// Refused as well, its refusal is the one that a control can speak to.
			vault := c.credentialOf(req)
			s = c.sendOnce(ctx, withSecret(req, last.secret))
			s.vault = vault
		}
	}
	if s.err == nil && s.res.Status == http.StatusOK && s.req.secret != "" {
		c.noteAccepted(s.req.secret, s.at)
	}
	return s
}

// differ reports whether two requests may have other credentials.
func (c *Client) differ(a, b *Request) bool {
	if as := c.credentialOf(a); as != "" || c.credentialOf(b) != "" {
		return as != c.credentialOf(b)
	}
	return !reflect.DeepEqual(a.Form, b.Form) || !reflect.DeepEqual(a.Header, b.Header)
}

func (c *Client) sendOnce(ctx context.Context, req *Request) sent {
	s := sent{req: req, event: c.controls.happens(), at: time.Now()}
	s.res, s.err = c.send(ctx, req)
	return s
}

// refused reports whether the answer may be a refusal of our credentials.
func (s *sent) refused() bool {
	return s.err == nil && refusesClient(s.res.Status, errorCode(s.res))
}

// noteAccepted notes a secret, unless it is known or a later one is. It keeps
// nothing else of the request, which holds a token.
func (c *Client) noteAccepted(secret string, sentAt time.Time) {
	last := c.accepted.Load()
	if last == nil || sentAt.Sub(last.sentAt) > acceptedFor || last.secret != secret && sentAt.After(last.sentAt) {
		c.accepted.CompareAndSwap(last, &acceptedSecret{secret, sentAt})
	}
}

// rotation waits for Config.Auth to have other credentials than those that may
// have been refused: one wait for all who were refused with them, and none again
// until they were accepted.
type rotation struct {
	awaited  credential
	since    time.Time     // when they were accepted last
	done     chan struct{} // closed when the wait is over
	followed bool          // there are others; set before done is closed
}

// awaitRotation returns the wait for credentials other than f's, or nil if there
// is nothing to wait for.
func (c *Client) awaitRotation(f *failed) *rotation {
	last := c.accepted.Load()
	had := cmp.Or(f.vault, f.as)
	if !f.client || had == "" || last == nil {
		return nil
	}
	r := c.rotating.Load()
	if r != nil && r.awaited == had && r.since == last.sentAt {
		return r
	}
	next := &rotation{awaited: had, since: last.sentAt, done: make(chan struct{})}
	if !c.rotating.CompareAndSwap(r, next) {
		return c.awaitRotation(f)
	}
	ctx, end, err := c.calls.begin()
	if err != nil {
		close(next.done)
		return next
	}
	go func() {
		defer end()
		defer close(next.done)
		ctx, cancel := context.WithTimeout(ctx, min(rotationWait, c.cfg.RequestTimeout))
		defer cancel()
		for {
			req, err := c.request(ctx, "", "")
			if err == nil && c.credentialOf(req) != had {
				next.followed = true
				return
			}
			select {
			case <-time.After(rotationPoll):
			case <-ctx.Done():
				return
			}
		}
	}()
	return next
}

// withSecret is refused with another secret, and with all else that Config.Auth
// put into it.
func withSecret(refused *Request, secret string) *Request {
	again := *refused
	again.Form, again.Header = maps.Clone(refused.Form), refused.Header.Clone()
	again.secretOf.authenticateWith(&again, secret)
	return &again
}
