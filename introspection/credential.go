package introspection

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
)

// credential tells the credentials of two requests apart: the same secret, the
// same key, the same token of ours. It is a keyed hash; empty where a ClientAuth
// of the user's leaves it unknown.
type credential string

func (c *Client) credentialOf(req *Request) credential {
	var what, value string
	switch auth := c.cfg.Auth.(type) {
	case *privateKeyJWT:
		// The header names the key; each assertion is another one.
		what = "assertion"
		value, _, _ = strings.Cut(req.Form.Get("client_assertion"), ".")
	case *bearerToken:
		what, value = "bearer", req.Header.Get("Authorization")
	case tlsClientAuth:
		what, value = "tls", string(auth)
	default:
		if req.secretOf == nil {
			return ""
		}
		what, value = "secret", req.secret
	}
	mac := hmac.New(sha256.New, c.results.secret[:])
	mac.Write([]byte(what))
	mac.Write([]byte{0})
	mac.Write([]byte(value))
	return credential(mac.Sum(nil))
}

// errStuck is for a ClientAuth whose calls do not return.
var errStuck = errors.New("Config.Auth hangs: it does not return within Config.RequestTimeout")

// authenticate has Config.Auth complete the request. A ClientAuth that hangs is
// left behind when ctx ends, and not called again while many of its calls hang.
func (c *Client) authenticate(ctx context.Context, build func() *Request) (*Request, error) {
	if c.stuck.Load() > int64(4*c.cfg.MaxConcurrent) {
		return nil, errStuck
	}
	type outcome struct {
		req *Request
		err error
	}
	done := make(chan outcome, 1)
	c.stuck.Add(1)
	go func() {
		defer c.stuck.Add(-1)
		req := build()
		err := c.cfg.Auth.Authenticate(ctx, req)
		done <- outcome{req, err}
	}()
	select {
	case o := <-done:
		return o.req, o.err
	case <-ctx.Done():
		select {
		case o := <-done:
			return o.req, o.err
		default:
			return nil, fmt.Errorf("%w: %w", errStuck, ctx.Err())
		}
	}
}
