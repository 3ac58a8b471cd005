package introspection

import (
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
	// rotationWait is how long a request waits for the vault to follow the
	// server. It is less than turnWait, so that requests which queue behind it
	// get their turn.
	rotationWait = 200 * time.Millisecond
	rotationPoll = 10 * time.Millisecond
)

// acceptedSecret is the client secret that the endpoint took last, and when it
// was sent.
type acceptedSecret struct {
	secret string
	sentAt time.Time
}

// sendAuthenticated sends req, and again with other credentials if those were
// refused. It returns when the request that was answered was sent.
func (c *Client) sendAuthenticated(ctx context.Context, req *Request) (res fetch.Response, sentAt time.Time, err error) {
	refused := func(r *Request) bool {
		req, sentAt = r, time.Now()
		res, err = c.send(ctx, r)
		return err == nil && refusesClient(res)
	}
	before := c.accepted.Load()
	if refused(req) {
		last := c.accepted.Load()
		switch again := c.renewed(ctx, req); {
		case again != nil: // it rotated while the request was under way
			refused(again)
		case req.secret == "" || last == nil: // it is no secret, or none ever worked
		case last.secret == req.secret && last != before: // accepted from another request meanwhile
			refused(req)
		case last.secret != req.secret: // the vault was first
			if old := withSecret(req, last.secret); refused(old) {
				if again = c.renewed(ctx, old); again != nil { // the server has just followed
					refused(again)
				}
			}
		default: // the server was first
			if again = c.awaitRenewed(ctx, req); again != nil {
				refused(again)
			}
		}
		if err == nil && refusesClient(res) {
			c.accepted.CompareAndSwap(last, nil) // the next one fails at once
		}
	}
	if err == nil && res.Status == http.StatusOK && req.secret != "" {
		c.noteAccepted(req.secret, sentAt)
	}
	return res, sentAt, err
}

// noteAccepted notes a secret, unless it is known or a later one is. It keeps
// nothing else of the request, which holds a token.
func (c *Client) noteAccepted(secret string, sentAt time.Time) {
	last := c.accepted.Load()
	if last == nil || last.secret != secret && sentAt.After(last.sentAt) {
		c.accepted.CompareAndSwap(last, &acceptedSecret{secret, sentAt})
	}
}

// renewed is refused with the credentials that Config.Auth has by now; nil if
// it has no others.
func (c *Client) renewed(ctx context.Context, refused *Request) *Request {
	again, err := c.request(ctx, refused.Endpoint, refused.Form.Get("token"))
	if err != nil || reflect.DeepEqual(refused.Form, again.Form) && reflect.DeepEqual(refused.Header, again.Header) {
		return nil
	}
	return again
}

// awaitRenewed is renewed, as soon as there are others within rotationWait.
func (c *Client) awaitRenewed(ctx context.Context, refused *Request) *Request {
	ctx, cancel := context.WithTimeout(ctx, rotationWait)
	defer cancel()
	for {
		select {
		case <-time.After(rotationPoll):
			if again := c.renewed(ctx, refused); again != nil {
				return again
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// withSecret is refused with another secret, and with all else that Config.Auth
// put into it.
func withSecret(refused *Request, secret string) *Request {
	again := *refused
	again.Form, again.Header = maps.Clone(refused.Form), refused.Header.Clone()
	again.secretOf.authenticateWith(&again, secret)
	return &again
}
