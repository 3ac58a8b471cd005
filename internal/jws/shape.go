package jws

import (
	"errors"
	"strings"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// ReadsAsJOSE reports whether any reader, however sloppy, may take the first part
// of a token, however many follow, for a JOSE header: a JSON object with a member
// alg that is a string, or null (RFC 7515 §4.1.1). Whoever takes a token elsewhere because this package
// cannot read it would hand a twin of a JWT to such a reader; so where there is a
// doubt, it is one. The doubts are parts before it that are empty or stand for
// nothing; base64 of either alphabet with padding, stray bits or foreign
// characters in it; and JSON with a byte order mark, comments, names in another
// case or twice, text after it, or in UTF-16.
//
// What is a strict JSON object and has no such alg is none, and neither is the random
// text of an opaque token. What no issuer makes, and is dear to search, counts as
// JOSE: long blanks, two alphabets in one long part, and beginnings of the name
// without end.
func ReadsAsJOSE(token string) bool {
	part, ok := firstPart(token)
	if !ok {
		return true
	}
	if text := bothAlphabets.object(part); text != nil {
		named, err := namesStrictly(text)
		if named || err != nil && !isJoined(part, token) && namesAlgorithm(text) {
			return true
		}
	}
	// What else a reader makes of it that drops the letters of the other alphabet.
	standard, url := holds(part, '+', '/'), holds(part, '-', '_')
	if standard && url && len(part) > maxMixed {
		return (urlAlphabet.begins(part) || standardAlphabet.begins(part)) && !isJoined(part, token)
	}
	return standard && urlAlphabet.reads(part, token) || url && standardAlphabet.reads(part, token)
}

// What may be in a token that is looked at any further: letters of a part in two
// alphabets at once, such as no encoder writes, and bytes that stand for nothing
// at its beginning, such as no issuer writes.
const (
	maxMixed = 1 << 10
	maxBlank = 1 << 10
)

func holds(part string, a, b byte) bool {
	return strings.IndexByte(part, a) >= 0 || strings.IndexByte(part, b) >= 0
}

// firstPart is the first part of token that stands for more than white space and
// byte order marks, which a reader may drop together with its dot. It is not ok if
// there is more of that than anybody needs.
func firstPart(token string) (part string, ok bool) {
	start, bits, n, blank := 0, uint32(0), 0, 0
	for i := range len(token) {
		if token[i] == '.' {
			start, n = i+1, 0
			continue
		}
		digit := bothAlphabets[token[i]]
		if digit == skipped {
			continue
		}
		bits = bits<<6 | uint32(digit)
		if n += 6; n >= 8 {
			n -= 8
			if !standsForNothing[byte(bits>>n)] {
				break
			}
			if blank++; blank > maxBlank {
				return "", false
			}
		}
	}
	part, _, _ = strings.Cut(token[start:], ".")
	return part, true
}

// reads reports whether part may be a header to who drops all but a's letters.
func (a *alphabet) reads(part, token string) bool {
	if !a.begins(part) || isJoined(part, token) {
		return false
	}
	text := a.object(part)
	return text != nil && namesAlgorithm(text)
}

// namesStrictly reports whether a strict JSON object has alg.
func namesStrictly(text []byte) (named bool, err error) {
	err = headerLimits.Walk(text, func(name string, value strictjson.Value) error {
		named = named || strings.EqualFold(name, "alg") && (value[0] == '"' || value.IsNull())
		return nil
	})
	return named && err == nil, err
}

// isJoined reports whether part is two of a token that are joined by another
// character than a dot, which is no form of a JWT. There are fewer than three
// parts then, however many dots.
func isJoined(part, token string) bool {
	if strings.IndexByte(part, '~') < 0 {
		return false
	}
	parts, last := 0, byte('.')
	for i := 0; i < len(token) && parts < 3; i++ {
		if last == '.' && token[i] != '.' {
			parts++
		}
		last = token[i]
	}
	return parts < 3
}

// alphabet tells what a base64 letter stands for, and that another character is
// skipped.
type alphabet [256]byte

const skipped = 0xff

var (
	bothAlphabets    = newAlphabet("+/", "-_")
	standardAlphabet = newAlphabet("+/")
	urlAlphabet      = newAlphabet("-_")
)

func newAlphabet(lastTwo ...string) (a alphabet) {
	for c := range a {
		a[c] = skipped
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") {
		a[c] = byte(i)
	}
	for _, two := range lastTwo {
		a[two[0]], a[two[1]] = 62, 63
	}
	return a
}

// begins reports whether what part stands for may begin as an object does. By
// this almost every opaque token is told from a JWT.
func (a *alphabet) begins(part string) bool {
	var room [48]byte
	begin := a.decode(room[:0], part[:min(len(part), 64)])
	first := significant(begin)
	return first == len(begin) || beginsObject(begin[first])
}

// object is what part stands for, or nil if that does not begin as an object.
func (a *alphabet) object(part string) []byte {
	if !a.begins(part) {
		return nil
	}
	text := a.decode(make([]byte, 0, DecodedLen(part)), part)
	if first := significant(text); first == len(text) || !beginsObject(text[first]) {
		return nil
	}
	return text
}

// decode appends what the letters of part stand for, whatever is between them.
func (a *alphabet) decode(dst []byte, part string) []byte {
	bits, n := uint32(0), 0
	for i := 0; i < len(part); i++ {
		for n == 0 && i+4 <= len(part) {
			four := part[i : i+4]
			d0, d1, d2, d3 := a[four[0]], a[four[1]], a[four[2]], a[four[3]]
			if (d0|d1|d2|d3)&0xc0 != 0 {
				break
			}
			dst = append(dst, d0<<2|d1>>4, d1<<4|d2>>2, d2<<6|d3)
			i += 4
		}
		if i == len(part) {
			break
		}
		digit := a[part[i]]
		if digit == skipped {
			continue
		}
		bits = bits<<6 | uint32(digit)
		if n += 6; n >= 8 {
			n -= 8
			dst = append(dst, byte(bits>>n))
		}
	}
	return dst
}

// standsForNothing are white space and controls, and the bytes of byte order
// marks and of the no-break space.
var standsForNothing = func() (out [256]bool) {
	for c := range ' ' + 1 {
		out[c] = true
	}
	for _, c := range []byte("\xef\xbb\xbf\xfe\xff\xc2\xa0") {
		out[c] = true
	}
	return out
}()

// significant returns where a text begins after what lenient readers skip: white
// space and controls, and what is not ASCII, such as byte order marks, the spaces
// of Unicode and bytes that are no character.
func significant(text []byte) int {
	for i, c := range text {
		if ' ' < c && c < 0x7f {
			return i
		}
	}
	return len(text)
}

// beginsObject: with its brace, or with a comment or a guard against inclusion
// before that.
func beginsObject(c byte) bool { return c == '{' || c == '/' || c == '#' || c == ')' }

// Errors of CheckEncrypted.
var (
	ErrParts     = errors.New("holds a JOSE header, and not the three parts of a JWT or the five of an encrypted token (RFC 7515 §7.1, RFC 7516 §7.1)")
	ErrEncrypted = errors.New("has five parts, but is no encrypted token: it has no \"enc\", or lacks a part (RFC 7516 §7.1)")
)

// CheckEncrypted says whether a token that begins with a JOSE header and has
// another number of parts than three is an encrypted one (RFC 7516 §7.1): five
// parts of strict base64url, of which the encrypted key alone may be empty, and
// an enc in the header. A JWT with dots at its end is none.
func CheckEncrypted(token string) error {
	if strings.Count(token, ".") != 4 {
		return ErrParts
	}
	var header []byte
	for i, part := range strings.Split(token, ".") {
		decoded, err := AppendDecode(nil, part)
		switch {
		case err != nil:
			return err
		case part == "" && i != 1:
			return ErrEncrypted
		case i == 0:
			header = decoded
		}
	}
	if _, err := ParseHeader(header); err != nil {
		return err
	}
	enc := strictjson.Value(header).Find("enc")
	if text, err := enc.String(); err != nil || text == "" {
		return ErrEncrypted
	}
	return nil
}
