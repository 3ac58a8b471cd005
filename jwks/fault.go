package jwks

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// fault is a reason to skip a key that is to be found at one of its members: by the
// member's name, and by the offset in the text of the key, from its brace on. For a
// block of PEM it is the block's type, and where that begins.
type fault struct {
	reason error // one of the package's constant reasons
	member string
	at     int
	of     string // "key", or "text" for a block of PEM
}

func (f fault) Error() string {
	return fmt.Sprintf("%v: %s, at offset %d of the %s", f.reason, quote.Value(f.member), f.at, f.of)
}

// Unwrap returns the constant.
func (f fault) Unwrap() error { return f.reason }

// faultOf is a fault where a decoder met it; of a key that is no object, the reason.
func faultOf(reason, err error) error {
	var pointer jsontext.Pointer
	var at int64
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		pointer, at = e.JSONPointer, e.ByteOffset
	} else if e, ok := errors.AsType[*json.SemanticError](err); ok {
		pointer, at = e.JSONPointer, e.ByteOffset
	}
	if pointer == "" {
		return reason
	}
	return fault{reason, strings.TrimPrefix(string(pointer), "/"), int(at), "key"}
}

// faultAt is a fault of the value of a member of text, at its character n.
func faultAt(reason error, text jsontext.Value, member string, n int) error {
	d := jsontext.NewDecoder(strings.NewReader(string(text)))
	_, _ = d.ReadToken() // the key is an object
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			break
		}
		found := name.String() == member
		value, err := d.ReadValue()
		if err != nil {
			break
		}
		if found {
			return fault{reason, member, int(d.InputOffset()) - len(value) + offsetIn(value, n), "key"}
		}
	}
	return reason
}

// offsetIn is where the character n of a JSON string stands in its text, if all
// before it are ASCII; of another value, where it begins.
func offsetIn(value jsontext.Value, n int) int {
	if value.Kind() != '"' {
		return 0
	}
	at := 1
	for ; n > 0 && at < len(value)-1; n-- {
		switch {
		case value[at] != '\\':
			at++
		case value[at+1] == 'u':
			at += 6
		default:
			at += 2
		}
	}
	return at
}
