package validator

import (
	"strings"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// header is a JOSE header and the name under which its alg is known here.
type header struct {
	jws.Header
	canonical string
}

// headersPerIssuer is how many of each issuer are remembered at least: all tokens
// of one key share their header, and few keys are live. Only a header whose signature
// verified is remembered, so nobody else can fill the memo; what it says is still
// checked against the issuer each time.
const headersPerIssuer = 8

// clone lets go of the token, whose pieces h's strings are.
func (h header) clone() header {
	h.Algorithm, h.KeyID, h.Type = strings.Clone(h.Algorithm), strings.Clone(h.KeyID), strings.Clone(h.Type)
	h.X5T, h.X5TS256 = strings.Clone(h.X5T), strings.Clone(h.X5TS256)
	h.canonical = jws.Canonical(h.Algorithm)
	return h
}

// parseHeader reads a decoded header, and says if it is a strict JSON object at
// least.
func parseHeader(raw []byte) (h header, object bool, err error) {
	parsed, err := jws.ParseHeader(raw)
	switch err {
	case nil:
		return header{parsed, jws.Canonical(parsed.Algorithm)}, true, nil
	case jws.ErrCritical:
		return header{}, true, refuse(CheckCritical, "the header "+err.Error())
	case jws.ErrAlgorithm:
		return header{}, true, refuseAs(CheckAlgorithm, absent, "the header "+err.Error())
	case strictjson.ErrMany:
		return header{}, false, refuse(CheckSize, "the header "+err.Error())
	case jws.ErrKeyID, jws.ErrType:
		return header{}, true, refuse(CheckJSON, "the header "+err.Error())
	}
	return header{}, false, refuse(CheckJSON, "the header "+err.Error())
}
