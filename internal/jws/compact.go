package jws

import (
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

// bytesOf views s as bytes that nobody may write to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
