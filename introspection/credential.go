package introspection

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// credential tells the credentials of two requests apart: the same secret, the
// same key, the same token of ours. It is a keyed hash; empty where a ClientAuth
// of the user's leaves it unknown.
type credential string

func (c *Client) credentialOf(req *Request) credential {
	var what, value string
	switch c.cfg.Auth.(type) {
	case *privateKeyJWT:
		// Each assertion is another one, but its header names the key, if it has a kid.
		what = "assertion"
		value, _, _ = strings.Cut(req.Form.Get("client_assertion"), ".")
		if !namesKey(value) {
			return ""
		}
	case *bearerToken:
		what, value = "bearer", req.Header.Get("Authorization")
	default:
		if req.secretOf == nil { // a certificate, say, of which the request says nothing
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

// namesKey reports whether a JOSE header, encoded, has a kid.
func namesKey(header string) bool {
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		return false
	}
	found := false
	err = strictjson.Members(text, func(name string, _ strictjson.Value) error {
		found = found || name == "kid"
		return nil
	})
	return err == nil && found
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
