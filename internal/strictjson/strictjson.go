// Package strictjson reads JSON that a possible enemy wrote.
//
// It refuses what lenient readers let through: duplicate member names, invalid
// UTF-8, names that match only after case folding, anything after the value,
// and nesting beyond a bound. It walks over a text once, hand-written, because
// whoever sends a token decides what it costs to refuse: a general decoder pays
// for each small value what a scan pays for a hundred bytes. The tests hold it
// against two such decoders.
package strictjson

import (
	"errors"
	"fmt"
	"math"
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
	ErrMany      = errors.New("holds more members and elements than any token needs")
)

// Limits bound how much of a text is read: by its members, and by its values,
// which are those of members and the elements of arrays, both at every level.
type Limits struct{ Members, Values int }

// Unlimited is for texts of somebody who is trusted.
var Unlimited = Limits{math.MaxInt, math.MaxInt}

// Members calls visit for each member of the one object that text holds, in
// order. name is unescaped and value is the member's raw text; both share
// text's memory wherever no escape forces a copy, so text must not change while
// they are in use. An error from visit ends the walk and is returned as it is.
func Members(text []byte, visit func(name string, value Value) error) error {
	return Unlimited.Walk(text, visit)
}

// Walk is Members, but stops with ErrMany at a text that
// holds more.
func (l Limits) Walk(text []byte, visit func(name string, value Value) error) error {
	at := skipSpace(text, 0)
	if at == len(text) || text[at] != '{' {
		return ErrNotObject
	}
	s := scanner{text: text, members: l.Members, values: l.Values}
	s.names.most = min(l.Members, len(text)/len(`"":0,`)+1)
	defer s.names.release()
	end, err := s.object(at, 1, visit)
	switch {
	case err != nil:
		return err
	case skipSpace(text, end) != len(text):
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
	return found.Find(path[1:]...), nil
}
