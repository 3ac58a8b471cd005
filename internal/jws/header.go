package jws

import (
	"errors"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// Header holds the members of a JOSE header that verification uses. Those that
// bring a key along or say where one is (jku, jwk, x5u, x5c) are deliberately
// absent.
type Header struct {
	Algorithm string
	KeyID     string
	HasKeyID  bool
	Type      string
	HasType   bool
	X5T       string // empty: none, or no string
	X5TS256   string // x5t#S256, likewise
}

// Errors of ParseHeader, beside those of strictjson.
var (
	ErrCritical  = errors.New(`has "crit" or "b64", and no extension is understood here (RFC 7515 §4.1.11, RFC 7797)`)
	ErrAlgorithm = errors.New(`has no "alg" string (RFC 7515 §4.1.1)`)
	ErrKeyID     = errors.New(`has a "kid" that is not a string (RFC 7515 §4.1.4)`)
	ErrType      = errors.New(`has a "typ" that is not a string (RFC 7515 §4.1.9)`)
)

// headerLimits are far above what any header needs, and keep what reading one
// costs far below what verifying its signature does.
var headerLimits = strictjson.Limits{Members: 128, Values: 512}

// ParseHeader reads a decoded JOSE header. The strings share raw's memory. A kid
// of null counts as none, as some issuers write it; null in the place of any other
// member that is read here is a mistake that two readers may take differently.
func ParseHeader(raw []byte) (Header, error) {
	var h Header
	err := headerLimits.Walk(raw, func(name string, value strictjson.Value) (err error) {
		switch name {
		case "alg":
			if h.Algorithm, err = value.String(); err != nil {
				return ErrAlgorithm
			}
		case "kid":
			if value.IsNull() {
				return nil
			}
			if h.KeyID, err = value.String(); err != nil {
				return ErrKeyID
			}
			h.HasKeyID = true
		case "typ":
			if h.Type, err = value.String(); err != nil {
				return ErrType
			}
			h.HasType = true
		case "x5t":
			h.X5T = textOf(value)
		case "x5t#S256":
			h.X5TS256 = textOf(value)
		case "crit", "b64":
			return ErrCritical
		}
		return nil
	})
	if err == nil && h.Algorithm == "" {
		err = ErrAlgorithm
	}
	return h, err
}

// textOf is a string, or empty for what is none: a member that only chooses among
// keys is no reason to refuse.
func textOf(value strictjson.Value) string {
	text, err := value.String()
	if err != nil {
		return ""
	}
	return text
}
