package dpop

import (
	"crypto"
	"strings"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// header is what the first part of a proof says: its algorithm and its key.
type header struct {
	alg        string // canonical
	key        crypto.PublicKey
	thumbprint [thumbprintChars]byte // RFC 7638, in base64url
}

// clone is what may be remembered: a header holds on to nothing of its proof.
func (h header) clone() header { return h }

// limits are far above what a header, its key or the claims of a proof need, and keep
// what reading them costs far below what verifying the signature does.
var limits = strictjson.Limits{Members: 32, Values: 64}

// proofType is the one typ of a proof (RFC 9449 §4.2). RFC 7515 §4.1.9 would have case
// and the prefix application/ make no difference; no client writes either.
const proofType = "dpop+jwt"

// joseHeader is the header as it stands in the proof.
type joseHeader struct {
	typ, alg strictjson.Value
	jwk      strictjson.Value
	critical bool // crit or b64
	foreign  bool // another place for the key
}

func (h *joseHeader) read(text []byte) error {
	return limits.Walk(text, func(name string, value strictjson.Value) error {
		switch name {
		case "typ":
			h.typ = value
		case "alg":
			h.alg = value
		case "jwk":
			h.jwk = value
		case "crit", "b64":
			h.critical = true
		default:
			h.foreign = h.foreign || pointsElsewhere(name)
		}
		return nil
	})
}

// pointsElsewhere reports whether a member of a header or a key brings a key along, or
// says where one is (RFC 7515 §4.1, RFC 7517 §4). A kid does neither.
func pointsElsewhere(name string) bool {
	switch name {
	case "x5u", "x5c", "x5t", "x5t#S256", "jku":
		return true
	}
	return false
}

// algorithm is the canonical name of alg, if a proof may be signed with it.
func (v *Verifier) algorithm(alg strictjson.Value) (canonical string, err *Error) {
	if alg == nil {
		return "", &Error{check: CheckAlgorithm, text: "the proof has no alg", want: v.algorithms}
	}
	for _, name := range v.algorithms {
		if alg.Is(name) || name == edDSA && alg.Is("Ed25519") {
			if alg[0] == '"' {
				return name, nil
			}
		}
	}
	return "", &Error{check: CheckAlgorithm, got: found(alg), want: v.algorithms}
}

const edDSA = "EdDSA"

// found is a value for an error, if it is a string.
func found(value strictjson.Value) []string {
	text, err := value.String()
	if err != nil {
		return []string{"no string"}
	}
	return []string{strings.Clone(text)}
}

// decode decodes one part of a proof.
func decode(dst []byte, part string) ([]byte, *Error) {
	out, err := jws.AppendDecode(dst, part)
	if err != nil {
		return dst, refuse(CheckEncoding, "a part "+err.Error())
	}
	return out, nil
}

// decodeJSON decodes one that is to be JSON.
func decodeJSON(dst []byte, part string) ([]byte, *Error) {
	out, failed := decode(dst, part)
	if failed == nil && isDear(out) {
		failed = refuse(CheckSize, "a part holds more escapes, white space and bytes beyond ASCII than any proof needs")
	}
	return out, failed
}

// jsonError is why a part of a proof is none.
func jsonError(part string, err error) *Error {
	if err == strictjson.ErrMany {
		return refuse(CheckSize, part+" holds more members and elements than any proof needs")
	}
	return refuse(CheckJSON, part+" "+err.Error())
}
