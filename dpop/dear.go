package dpop

import (
	"encoding/binary"
	"math/bits"
)

// How long the parts of a proof may be, in characters as sent, and what they may hold
// of what is dear to read. A header with an RSA key of 4096 bits has 1,006; of the
// claims only htu is as long as the client's request is, whose URL is allowed for
// twice. Both together are held to less, as no proof has a long key, a long nonce and a
// jti of escapes. A jti of 128 escapes and a URL with escaped slashes stay below the
// last.
const (
	maxHeaderChars = 1152
	maxClaimsChars = 1280
	maxBothChars   = 1600
	maxDear        = 144
)

const low, high = 0x7f7f7f7f7f7f7f7f, 0x8080808080808080

// isDear reports whether text holds more escapes, white space, control characters and
// bytes beyond ASCII than any proof needs. A strict reader takes them one by one,
// where it takes eight letters at a time, and this does, too.
func isDear(text []byte) bool {
	if len(text) <= maxDear {
		return false
	}
	const each = 0x0101010101010101
	n := 0
	for ; len(text) >= 8; text = text[8:] {
		word := binary.LittleEndian.Uint64(text)
		visible := word&low + (0x7f-' ')*each // its high bits: above white space, of ASCII
		other := word ^ '\\'*each
		escape := ^(other&low + low | other) // its high bits: a backslash
		n += bits.OnesCount64((^visible | escape | word) & high)
	}
	return n > maxDear
}
