// Package strictjson reads JSON that a possible enemy wrote.
//
// It refuses what lenient readers let through: duplicate member names, invalid
// UTF-8, names that match only after case folding, anything after the value,
// and nesting beyond a bound. The grammar is the work of go-json-experiment;
// this package adds the walk over one object, the depth bound and the
// conversions that tokens need.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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

// Members calls visit for each member of the one object that text holds, in
// order. name is unescaped and value is the member's raw text; both share
// text's memory wherever no escape forces a copy, so text must not change while
// they are in use. An error from visit ends the walk and is returned as it is.
func Members(text []byte, visit func(name string, value Value) error) error {
	r := readers.Get().(*reader)
	defer r.release()
	r.reset(text)
	if r.dec.PeekKind() != '{' {
		return ErrNotObject
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return ErrSyntax
	}
	for r.dec.PeekKind() == '"' {
		rawName, err := r.dec.ReadValue()
		if err != nil {
			return ErrSyntax
		}
		name, err := Value(rawName).String()
		if err != nil {
			return ErrSyntax
		}
		value, err := r.dec.ReadValue()
		if err != nil {
			return ErrSyntax
		}
		if depth(value) >= MaxDepth {
			return ErrDepth
		}
		if err := visit(name, Value(value)); err != nil {
			return err
		}
	}
	if _, err := r.dec.ReadToken(); err != nil { // the closing brace
		return ErrSyntax
	}
	if _, err := r.dec.ReadToken(); err != io.EOF {
		return ErrTrailing
	}
	return nil
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

// depth counts how deeply a valid JSON value nests.
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
