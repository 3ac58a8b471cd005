package jws

import (
	"encoding/base64"
	"errors"
	"strings"
	"unsafe"
)

// Compact is a token of three segments, still encoded.
type Compact struct {
	Header, Payload, Signature string
	// SigningInput is Header "." Payload, what the signature covers.
	SigningInput string
}

// Split cuts token at its dots. It reports false unless there are exactly two
// of them. Segments may be empty, as the signature of an unsecured JWT is: what
// is wrong with that is for the later checks to say.
func Split(token string) (Compact, bool) {
	header, rest, one := strings.Cut(token, ".")
	payload, signature, two := strings.Cut(rest, ".")
	if !one || !two || strings.IndexByte(signature, '.') >= 0 {
		return Compact{}, false
	}
	return Compact{
		Header:       header,
		Payload:      payload,
		Signature:    signature,
		SigningInput: token[:len(token)-len(signature)-1],
	}, true
}

// ErrEncoding is a segment that is not strict base64url.
var ErrEncoding = errors.New("is not strict base64url (RFC 7515 §2: no padding, no white space, canonical last bits)")

var base64url = base64.RawURLEncoding.Strict()

// AppendDecode appends the decoded segment to dst. It takes exactly one
// spelling of each value: no padding, no line breaks, no stray bits in the last
// character.
//
// Go's decoder skips CR and LF even when strict, so that fewer bytes come out
// than the length promises. One line break after a multiple of four characters
// would escape that comparison: such a length is 1 modulo 4, which no base64
// text has.
func AppendDecode(dst []byte, segment string) ([]byte, error) {
	out, err := base64url.AppendDecode(dst, bytesOf(segment))
	if err != nil || len(segment)%4 == 1 || len(out)-len(dst) != DecodedLen(segment) {
		return dst, ErrEncoding
	}
	return out, nil
}

// DecodedLen is how many bytes AppendDecode makes of a segment that is good.
func DecodedLen(segment string) int { return base64url.DecodedLen(len(segment)) }

// bytesOf views s as bytes that nobody may write to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
