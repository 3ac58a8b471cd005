package jws

import (
	"bytes"
	"errors"
	"strings"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// ReadsAsJOSE reports whether any reader, however sloppy, may take the first part
// of a token, however many follow, for a JOSE header: a JSON object with a member
// alg that is a string, or null (RFC 7515 §4.1.1). Whoever takes a token elsewhere because this package
// cannot read it would hand a twin of a JWT to such a reader; so where there is a
// doubt, it is one. The doubts are empty parts before it; base64 of either
// alphabet with padding, stray bits or foreign characters in it; and JSON with a
// byte order mark, comments, names in another case or twice, text after it, or in
// UTF-16.
//
// What is a strict JSON object and has no such alg is none, and neither is the random
// text of an opaque token.
func ReadsAsJOSE(token string) bool {
	part, _, _ := strings.Cut(strings.TrimLeft(token, "."), ".")
	if readsAsHeader(part, token, &bothAlphabets) {
		return true
	}
	standard, url := strings.ContainsAny(part, "+/"), strings.ContainsAny(part, "-_")
	return standard && readsAsHeader(part, token, &urlAlphabet) || url && readsAsHeader(part, token, &standardAlphabet)
}

func readsAsHeader(part, token string, digits *alphabet) bool {
	// Almost every opaque token is told by what its first letters stand for.
	var room [48]byte
	begin := digits.decode(room[:0], part[:min(len(part), 64)])
	if first := significant(begin); first < len(begin) && !beginsObject(begin[first]) {
		return false
	}
	text := digits.decode(make([]byte, 0, DecodedLen(part)), part)
	first := significant(text)
	if first == len(text) || !beginsObject(text[first]) {
		return false
	}
	named := false
	err := headerLimits.Walk(text, func(name string, value strictjson.Value) error {
		named = named || strings.EqualFold(name, "alg") && (value[0] == '"' || value.IsNull())
		return nil
	})
	switch {
	case err == nil:
		return named
	case strings.Contains(part, "~") && !hasParts(token):
		return false // two parts joined by another character are no form of a JWT
	}
	return namesAlgorithm(text)
}

// hasParts reports whether token has as many parts as a signed or an encrypted
// one.
func hasParts(token string) bool {
	dots := strings.Count(token, ".")
	return dots == 2 || dots == 4
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

// decode appends what the letters of part stand for, whatever is between them.
func (a *alphabet) decode(dst []byte, part string) []byte {
	bits, n := uint32(0), 0
	for i := range len(part) {
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

// significant returns where a text begins after what lenient readers skip: white
// space and controls, and the bytes of byte order marks.
func significant(text []byte) int {
	for i, c := range text {
		switch {
		case c <= ' ', c == 0xef, c == 0xbb, c == 0xbf, c == 0xfe, c == 0xff:
		default:
			return i
		}
	}
	return len(text)
}

// beginsObject: with its brace, or with a comment or a guard against inclusion
// before that.
func beginsObject(c byte) bool { return c == '{' || c == '/' || c == '#' || c == ')' }

// namesAlgorithm looks for alg in the place of a member's name, in a text that no
// strict reader takes. It changes the text.
func namesAlgorithm(text []byte) bool {
	text = plainly(text)
	for {
		at := bytes.Index(text, []byte("alg"))
		if at < 0 {
			return false
		}
		text = text[at+len("alg"):]
		rest := bytes.TrimLeft(text, "'\" \t\r\n\v\f")
		if len(rest) > 0 && strings.IndexByte(":=/#", rest[0]) >= 0 {
			return true
		}
	}
}

// plainly rewrites text in lower case, with escapes replaced by what they stand
// for, and without NUL, which UTF-16 has between ASCII letters.
func plainly(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte{0}, nil)
	out := text[:0]
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			i++
			c = text[i]
			if r, digits := escaped(text[i:]); digits > 0 {
				i += digits
				c = byte(min(r, 0x7f))
			}
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		out = append(out, c)
	}
	return out
}

// escaped reads what follows a backslash, if it is a number of so many digits.
func escaped(text []byte) (r, digits int) {
	switch text[0] {
	case 'u':
		digits = 4
	case 'x':
		digits = 2
	}
	if digits == 0 || len(text) <= digits {
		return 0, 0
	}
	for _, c := range text[1 : 1+digits] {
		at := strings.IndexByte("0123456789abcdef", c|0x20)
		if at < 0 {
			return 0, 0
		}
		r = r<<4 | at
	}
	return r, digits
}

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
