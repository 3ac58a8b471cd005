// Package strictjson reads JSON that a possible enemy wrote.
//
// It refuses what lenient readers let through: duplicate member names, invalid
// UTF-8, names that match only after case folding, anything after the value,
// and nesting beyond a bound. The grammar of values is the work of
// go-json-experiment; this package adds the walk over one object, the depth
// bound and the conversions that tokens need.
package strictjson

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deeply objects and arrays may nest, the outermost included.
// Real tokens use three levels (Keycloak's resource_access).
const MaxDepth = 16

// Errors that carry no input, so that they can be logged.
var (
	ErrNotObject = errors.New("is not a JSON object")
	ErrSyntax    = errors.New("is not strict JSON (RFC 8259, no duplicate names, UTF-8 only)")
	ErrTrailing  = errors.New("has data after the JSON object")
	ErrDepth     = fmt.Errorf("nests deeper than %d levels", MaxDepth)
)

// Members calls visit for each member of the one object that text holds, in
// order. name is unescaped and value is the member's raw text; both share
// text's memory wherever no escape forces a copy, so text must not change while
// they are in use. An error from visit ends the walk and is returned as it is.
//
// The walk over one object is its own, because half the cost of a decoder is in
// what it must keep for objects within objects. Plain strings and whole numbers,
// which most of a token is made of, it reads itself; every other value, and any
// that it has a doubt about, is jsontext's to judge.
func Members(text []byte, visit func(name string, value Value) error) error {
	at := skipSpace(text, 0)
	if at == len(text) || text[at] != '{' {
		return ErrNotObject
	}
	at = skipSpace(text, at+1)
	if at < len(text) && text[at] == '}' {
		return ended(text, at+1)
	}
	var seen names
	for {
		if at == len(text) || text[at] != '"' {
			return ErrSyntax
		}
		name, end, err := nameAt(text, at)
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return ErrSyntax
		}
		at = skipSpace(text, end)
		if at == len(text) || text[at] != ':' {
			return ErrSyntax
		}
		at = skipSpace(text, at+1)
		if end, err = valueEnd(text, at); err != nil {
			return err
		}
		if err := visit(name, Value(text[at:end:end])); err != nil {
			return err
		}
		at = skipSpace(text, end)
		if at == len(text) {
			return ErrSyntax
		}
		switch text[at] {
		case '}':
			return ended(text, at+1)
		case ',':
			at = skipSpace(text, at+1)
		default:
			return ErrSyntax
		}
	}
}

// ended says whether nothing but white space follows the object.
func ended(text []byte, at int) error {
	if skipSpace(text, at) != len(text) {
		return ErrTrailing
	}
	return nil
}

// skipSpace returns where white space (RFC 8259 §2) from at on ends.
func skipSpace(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r') {
		at++
	}
	return at
}

// plainEnd returns where the string that begins at at ends, or 0 if it does not
// end or holds bytes that do not simply stand for themselves: controls, a
// backslash, anything beyond ASCII.
func plainEnd(text []byte, at int) int {
	for end := at + 1; ; end += 8 {
		var word uint64
		if rest := text[end:]; len(rest) >= 8 {
			word = binary.LittleEndian.Uint64(rest)
		} else {
			var last [8]byte // the zeros after rest count as controls
			copy(last[:], rest)
			word = binary.LittleEndian.Uint64(last[:])
		}
		if first := firstSpecial(word); first < 8 {
			end += first
			if end < len(text) && text[end] == '"' {
				return end + 1
			}
			return 0
		}
	}
}

// firstSpecial returns which of eight bytes, the lowest being number 0, is the
// first that is a control, a quotation mark, a backslash or beyond ASCII; 8 if
// none is.
//
// Taking n from an ASCII byte sets its high bit if the byte is less than n. Such a
// byte also borrows from the one above it, which may then be found without
// reason: only the lowest that is found counts.
func firstSpecial(word uint64) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	control := word - each*0x20
	quote := word ^ each*'"' // 0 where it is one
	backslash := word ^ each*'\\'
	return bits.TrailingZeros64((word|control|(quote-each)|(backslash-each))&high) / 8
}

// nameAt returns the name that begins at at, and where it ends.
func nameAt(text []byte, at int) (name string, end int, err error) {
	if end = plainEnd(text, at); end != 0 {
		return asString(text[at+1 : end-1]), end, nil
	}
	if end, err = decodedEnd(text, at); err != nil {
		return "", 0, err
	}
	name, err = Value(text[at:end]).String()
	return name, end, err
}

// valueEnd returns where the value that begins at at ends.
func valueEnd(text []byte, at int) (int, error) {
	if at == len(text) {
		return 0, ErrSyntax
	}
	switch c := text[at]; {
	case c == '"':
		if end := plainEnd(text, at); end != 0 {
			return end, nil
		}
	case '1' <= c && c <= '9':
		end := at + 1
		for end < len(text) && '0' <= text[end] && text[end] <= '9' {
			end++
		}
		if end < len(text) && (text[end] == ',' || text[end] == '}') {
			return end, nil
		}
	}
	return decodedEnd(text, at)
}

// decodedEnd is valueEnd by the decoder.
func decodedEnd(text []byte, at int) (int, error) {
	r := readers.Get().(*reader)
	defer r.release()
	r.reset(text[at:])
	value, err := r.dec.ReadValue()
	if err != nil {
		value = text[at:] // the decoder has a bound of its own, ten thousand
	}
	if depth(value) >= MaxDepth {
		return 0, ErrDepth
	}
	if err != nil {
		return 0, ErrSyntax
	}
	return at + int(r.dec.InputOffset()), nil
}

// names are the member names of one object, to find duplicates (RFC 7519 §4). A
// token has a dozen; a hostile one has thousands, which must not cost their
// square.
type names struct {
	few  [24]string
	n    int
	kin  uint64 // a bit for each length and first byte that few holds
	many map[string]struct{}
}

// add reports false if name is there already.
func (s *names) add(name string) bool {
	bit := uint64(1) << (len(name) & 63)
	if name != "" {
		bit = 1 << ((len(name)*5 + int(name[0])) & 63)
	}
	if s.kin&bit != 0 && slices.Contains(s.few[:s.n], name) {
		return false
	}
	s.kin |= bit
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	if _, there := s.many[name]; there {
		return false
	}
	if s.many == nil {
		s.many = make(map[string]struct{})
	}
	s.many[name] = struct{}{}
	return true
}

// reader pairs a decoder with the buffer that it reads, so that both are reused.
type reader struct {
	dec jsontext.Decoder
	buf bytes.Buffer
}

var readers = sync.Pool{New: func() any { return new(reader) }}

func (r *reader) reset(text []byte) {
	r.buf = *bytes.NewBuffer(text)
	r.dec.Reset(&r.buf)
}

// release returns r to the pool without the text that it read.
func (r *reader) release() {
	r.reset(nil)
	readers.Put(r)
}

// Find returns the value at the end of a path of member names, each but the
// last one naming an object, or nil if there is none.
func Find(text []byte, path ...string) (Value, error) {
	var found Value
	err := Members(text, func(name string, value Value) error {
		if name == path[0] {
			found = value
		}
		return nil
	})
	if err != nil || found == nil || len(path) == 1 {
		return found, err
	}
	if found[0] != '{' {
		return nil, nil
	}
	return Find(found, path[1:]...)
}

// depth counts how deeply a JSON value nests, or what might have become one.
func depth(value []byte) int {
	if len(value) == 0 || (value[0] != '{' && value[0] != '[') {
		return 0
	}
	deepest, now, inString := 0, 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}
