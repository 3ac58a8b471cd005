package strictjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// scanner walks over one text.
type scanner struct {
	text    []byte
	members int // how many of them may still come
	values  int // the same of values
	names   names
}

// object walks over the object that begins at at, the depth-th that is open, and
// returns where it ends. visit, which may be nil, is called for its members.
func (s *scanner) object(at, depth int, visit func(string, Value) error) (int, error) {
	text := s.text
	at = skipSpace(text, at+1)
	if at < len(text) && text[at] == '}' {
		return at + 1, nil
	}
	outer := s.names.open()
	for {
		if at == len(text) || text[at] != '"' {
			return 0, ErrSyntax
		}
		if s.members--; s.members < 0 {
			return 0, ErrMany
		}
		end, escaped, ok := plainEnd(text, at), false, true
		if end == 0 {
			end, escaped, ok = stringEnd(text, at)
		}
		if !ok {
			return 0, ErrSyntax
		}
		name := asString(text[at+1 : end-1])
		if escaped {
			if name, ok = s.names.unescaped(text[at+1 : end-1]); !ok {
				return 0, ErrSyntax
			}
		}
		if !s.names.add(name) {
			return 0, ErrSyntax
		}
		at = skipSpace(text, end)
		if at == len(text) || text[at] != ':' {
			return 0, ErrSyntax
		}
		at = skipSpace(text, at+1)
		end, err := s.value(at, depth)
		if err != nil {
			return 0, err
		}
		if visit != nil {
			if err := visit(name, Value(text[at:end:end])); err != nil {
				return 0, err
			}
		}
		at = skipSpace(text, end)
		if at == len(text) {
			return 0, ErrSyntax
		}
		switch text[at] {
		case '}':
			s.names.close(outer)
			return at + 1, nil
		case ',':
			at = skipSpace(text, at+1)
		default:
			return 0, ErrSyntax
		}
	}
}

// array does the same for an array.
func (s *scanner) array(at, depth int) (int, error) {
	text := s.text
	at = skipSpace(text, at+1)
	if at < len(text) && text[at] == ']' {
		return at + 1, nil
	}
	for {
		end, err := s.value(at, depth)
		if err != nil {
			return 0, err
		}
		at = skipSpace(text, end)
		if at == len(text) {
			return 0, ErrSyntax
		}
		switch text[at] {
		case ']':
			return at + 1, nil
		case ',':
			at = skipSpace(text, at+1)
		default:
			return 0, ErrSyntax
		}
	}
}

// value returns where the value that begins at at ends, within depth containers.
func (s *scanner) value(at, depth int) (int, error) {
	text := s.text
	if s.values--; s.values < 0 {
		return 0, ErrMany
	}
	if at == len(text) {
		return 0, ErrSyntax
	}
	end, ok := 0, false
	switch text[at] {
	case '"':
		if end = plainEnd(text, at); end != 0 {
			return end, nil
		}
		end, _, ok = stringEnd(text, at)
	case '{', '[':
		if depth == MaxDepth {
			return 0, ErrDepth
		}
		if text[at] == '[' {
			return s.array(at, depth+1)
		}
		return s.object(at, depth+1, nil)
	case 't':
		end, ok = literalEnd(text, at, "true")
	case 'f':
		end, ok = literalEnd(text, at, "false")
	case 'n':
		end, ok = literalEnd(text, at, "null")
	default:
		end, ok = numberEnd(text, at)
	}
	if !ok {
		return 0, ErrSyntax
	}
	return end, nil
}

// skipSpace returns where white space (RFC 8259 §2) from at on ends.
func skipSpace(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r') {
		at++
	}
	return at
}

func literalEnd(text []byte, at int, literal string) (end int, ok bool) {
	return at + len(literal), bytes.HasPrefix(text[at:], []byte(literal))
}

// numberEnd returns where the number that begins at at ends (RFC 8259 §6).
func numberEnd(text []byte, at int) (end int, ok bool) {
	if at < len(text) && text[at] == '-' {
		at++
	}
	end = digitsEnd(text, at)
	if end == at || text[at] == '0' && end != at+1 {
		return 0, false
	}
	if at = end; at < len(text) && text[at] == '.' {
		if end = digitsEnd(text, at+1); end == at+1 {
			return 0, false
		}
	}
	if at = end; at < len(text) && text[at]|0x20 == 'e' {
		at++
		if at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		if end = digitsEnd(text, at); end == at {
			return 0, false
		}
	}
	return end, true
}

func digitsEnd(text []byte, at int) int {
	for at < len(text) && '0' <= text[at] && text[at] <= '9' {
		at++
	}
	return at
}

// stringEnd returns where the string that begins at at ends, and whether it holds
// escapes. It is not ok if the string does not end, or holds a control character,
// a wrong escape, or what is not UTF-8. Of almost every string plainEnd knows the
// end sooner.
func stringEnd(text []byte, at int) (end int, escaped, ok bool) {
	begin := at + 1
	var beyond uint64 // ASCII, somewhere
	for end = begin; ; {
		word := eight(text[end:])
		beyond |= word & high
		first := bits.TrailingZeros64(specials(word)&^word&high) / 8
		if first == 8 {
			end += 8
			continue
		}
		if end += first; end >= len(text) {
			return 0, false, false
		}
		switch text[end] {
		case '"':
			return end + 1, escaped, beyond == 0 || utf8.Valid(text[begin:end])
		case '\\':
			escaped = true
			for end < len(text) && text[end] == '\\' {
				if end, ok = escapeEnd(text, end); !ok {
					return 0, false, false
				}
			}
		default:
			return 0, false, false
		}
	}
}

// plainEnd returns where the string that begins at at ends, or 0 if it does not
// end or holds bytes that do not simply stand for themselves: controls, a
// backslash, anything beyond ASCII.
func plainEnd(text []byte, at int) int {
	for end := at + 1; ; end += 8 {
		word := eight(text[end:])
		if marks := (specials(word) | word) & high; marks != 0 {
			end += bits.TrailingZeros64(marks) / 8
			if end < len(text) && text[end] == '"' {
				return end + 1
			}
			return 0
		}
	}
}

// eight reads eight bytes, of which zeros, which are controls, stand for those
// beyond the end.
func eight(rest []byte) uint64 {
	if len(rest) >= 8 {
		return binary.LittleEndian.Uint64(rest)
	}
	var last [8]byte
	copy(last[:], rest)
	return binary.LittleEndian.Uint64(last[:])
}

const each, high = 0x0101010101010101, 0x8080808080808080

// specials sets the high bit of the first of eight bytes, the lowest being the
// first, that is a control, a quotation mark or a backslash.
//
// Taking n from a byte below 0x80 sets its high bit if the byte is less than n.
// Such a byte also borrows from the one above it, which may then be found without
// reason: only the lowest that is found counts. The high bits of bytes from 0x80
// on mean nothing; those bytes never borrow.
func specials(word uint64) uint64 {
	control := word - each*0x20
	quote := word ^ each*'"' // 0 where it is one
	backslash := word ^ each*'\\'
	return control | (quote - each) | (backslash - each)
}
