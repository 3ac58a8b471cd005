package strictjson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// plainEscapes are the escapes of one character, and what they stand for.
var plainEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escapeEnd returns where the escape that begins at at ends (RFC 8259 §7). A
// surrogate must be one of a pair, which counts as one escape (§8.2).
func escapeEnd(text []byte, at int) (end int, ok bool) {
	if at+1 >= len(text) {
		return 0, false
	}
	if plainEscapes[text[at+1]] != 0 {
		return at + 2, true
	}
	_, end, ok = unicodeEscape(text, at)
	return end, ok
}

// unicodeEscape reads the character that the escapes from at on stand for.
func unicodeEscape(text []byte, at int) (r rune, end int, ok bool) {
	r, ok = codeUnit(text, at)
	if !ok || !utf16.IsSurrogate(r) {
		return r, at + 6, ok
	}
	low, ok := codeUnit(text, at+6)
	r = utf16.DecodeRune(r, low)
	return r, at + 12, ok && r != utf8.RuneError
}

// codeUnit reads one \uXXXX.
func codeUnit(text []byte, at int) (r rune, ok bool) {
	if at+6 > len(text) || text[at] != '\\' || text[at+1] != 'u' {
		return 0, false
	}
	digits := text[at+2 : at+6 : at+6]
	r = hexadecimal[digits[0]]<<12 | hexadecimal[digits[1]]<<8 | hexadecimal[digits[2]]<<4 | hexadecimal[digits[3]]
	return r, r >= 0
}

// hexadecimal is what a digit stands for. What is none makes a number negative
// that it becomes a digit of.
var hexadecimal = func() (digits [256]rune) {
	for c := range digits {
		digits[c] = -1
	}
	for i, c := range []byte("0123456789abcdef") {
		digits[c] = rune(i)
		if c >= 'a' {
			digits[c-'a'+'A'] = rune(i)
		}
	}
	return digits
}()

// appendUnescaped appends what the inside of a string stands for.
func appendUnescaped(dst, inner []byte) (out []byte, ok bool) {
	for at := 0; at < len(inner); {
		c := inner[at]
		if c != '\\' {
			dst = append(dst, c)
			at++
			continue
		}
		if at+1 < len(inner) && plainEscapes[inner[at+1]] != 0 {
			dst = append(dst, plainEscapes[inner[at+1]])
			at += 2
			continue
		}
		r, end, ok := unicodeEscape(inner, at)
		if !ok {
			return dst, false
		}
		dst = utf8.AppendRune(dst, r)
		at = end
	}
	return dst, true
}
