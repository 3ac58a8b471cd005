package jws

import (
	"errors"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// Header holds the members of a JOSE header that verification uses. The
// members that point at keys (jku, jwk, x5u, x5c) are deliberately absent.
type Header struct {
	Algorithm string
	KeyID     string
	HasKeyID  bool
	Type      string
	HasType   bool
}

// Errors of ParseHeader, beside those of strictjson.
var (
	ErrCritical  = errors.New(`has "crit" or "b64", and no extension is understood here (RFC 7515 §4.1.11, RFC 7797)`)
	ErrAlgorithm = errors.New(`has no "alg" string (RFC 7515 §4.1.1)`)
	ErrKeyID     = errors.New(`has a "kid" that is not a string (RFC 7515 §4.1.4)`)
	ErrType      = errors.New(`has a "typ" that is not a string (RFC 7515 §4.1.9)`)
)

// ParseHeader reads a decoded JOSE header. The strings share raw's memory.
func ParseHeader(raw []byte) (Header, error) {
	var h Header
	err := strictjson.Members(raw, func(name string, value strictjson.Value) (err error) {
		switch name {
		case "alg":
			if h.Algorithm, err = value.String(); err != nil {
				return ErrAlgorithm
			}
		case "kid":
			if h.KeyID, err = value.String(); err != nil {
				return ErrKeyID
			}
			h.HasKeyID = true
		case "typ":
			if h.Type, err = value.String(); err != nil {
				return ErrType
			}
			h.HasType = true
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
