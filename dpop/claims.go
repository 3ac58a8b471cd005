package dpop

import (
	"time"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// Bounds of claims.
const (
	maxJTI   = 128 // bytes
	maxNonce = 256 // bytes; ours are shorter
)

// claims are what the second part of a proof says (RFC 9449 §4.2). The strings are
// pieces of it.
type claims struct {
	jti, htm, htu   string
	iat             time.Time
	ath, nonce      string
	hasIAT, hasATH  bool
	wrong, wrongWay string // the first that is malformed, and how
}

// read takes the claims of a proof. Those of other names may be anything.
func (c *claims) read(text []byte) error {
	return limits.Walk(text, func(name string, value strictjson.Value) error {
		var err error
		switch name {
		case "jti":
			c.jti, err = value.String()
		case "htm":
			c.htm, err = value.String()
		case "htu":
			c.htu, err = value.String()
		case "ath":
			c.hasATH = true
			c.ath, err = value.String()
		case "nonce":
			c.nonce, err = value.String()
		case "iat":
			c.hasIAT = true
			c.iat, err = value.Date()
		}
		if err != nil && c.wrong == "" {
			c.wrong, c.wrongWay = name, err.Error()
		}
		return nil
	})
}

// check looks for what is missing or malformed, in constant words.
func (c *claims) check() *Error {
	switch {
	case c.wrong != "":
		return refuse(CheckClaims, "claim "+c.wrong+" "+c.wrongWay)
	case c.jti == "" || len(c.jti) > maxJTI:
		return refuse(CheckClaims, "claim jti is missing, empty or longer than 128 bytes")
	case c.htm == "":
		return refuse(CheckClaims, "claim htm is missing or empty")
	case c.htu == "":
		return refuse(CheckClaims, "claim htu is missing or empty")
	case !c.hasIAT:
		return refuse(CheckClaims, "claim iat is missing")
	case len(c.nonce) > maxNonce:
		return refuse(CheckClaims, "claim nonce is longer than 256 bytes")
	}
	return nil
}
