package strictjson

import (
	"bytes"
	"errors"
	"math/bits"
)

// Find returns the value at the end of a path of member names within v, a value
// of a text that was walked over before, or nil if there is none.
func (v Value) Find(path ...string) Value {
	for _, name := range path {
		var found [1]Value
		v.Pick([]string{name}, found[:])
		if v = found[0]; v == nil {
			return nil
		}
	}
	return v
}

// Pick sets values to those of the members of v with the given names, in one
// pass; what is not there stays as it is. v is of a text that was walked over
// before, so that only what is looked for is read again.
func (v Value) Pick(names []string, values []Value) {
	begin := skipSpace(v, 0) // of a whole text, white space may come first
	if begin == len(v) || v[begin] != '{' {
		return
	}
	for at := skipSpace(v, begin+1); at < len(v) && v[at] == '"'; {
		end := pastValue(v, at)
		name := v[at:end:end]
		at = skipSpace(v, skipSpace(v, end)+1) // over the colon
		end = pastValue(v, at)
		plain := bytes.IndexByte(name, '\\') < 0
		for i, wanted := range names {
			if plain && string(name[1:len(name)-1]) == wanted || !plain && name.isString(wanted) {
				values[i] = v[at:end:end]
			}
		}
		at = skipSpace(v, end)
		if at < len(v) && v[at] == ',' {
			at = skipSpace(v, at+1)
		}
	}
}

// ErrNotArray is of Elements.
var ErrNotArray = errors.New("is no array, or one of too many elements")

// Elements returns the elements of an array that has at most so many. v is of a text
// that was walked over before.
func (v Value) Elements(most int) (elements []Value, err error) {
	if len(v) == 0 || v[0] != '[' {
		return nil, ErrNotArray
	}
	for at := skipSpace(v, 1); at < len(v) && v[at] != ']'; {
		if len(elements) == most {
			return nil, ErrNotArray
		}
		end := pastValue(v, at)
		elements = append(elements, v[at:end:end])
		at = skipSpace(v, end)
		if at < len(v) && v[at] == ',' {
			at = skipSpace(v, at+1)
		}
	}
	return elements, nil
}

// pastValue returns where the value that begins at at ends, in a valid text.
func pastValue(text []byte, at int) int {
	for depth := 0; at < len(text); {
		switch text[at] {
		case '"':
			if at = pastString(text, at); depth == 0 {
				return at
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				if depth < 0 {
					return at // the container around a number or literal
				}
				return at + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return at
			}
		}
		at++
	}
	return len(text)
}

// pastString returns where the string that begins at at ends, in a valid text.
func pastString(text []byte, at int) int {
	for at++; at < len(text); {
		word := eight(text[at:])
		first := bits.TrailingZeros64(specials(word)&^word&high) / 8
		if at += first; first == 8 || at >= len(text) {
			continue
		}
		if text[at] == '"' {
			return at + 1
		}
		at += 2 // an escape: what follows a backslash ends no string
	}
	return len(text)
}
