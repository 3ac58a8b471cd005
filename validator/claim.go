package validator

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// ErrNoClaim is what Token.Claim returns for a claim that is not there or is null.
// A handler that decides by a claim must not take that for an empty value.
var ErrNoClaim = errors.New("no such claim")

// Claim decodes one claim into dst, a pointer, as Claims does, and reads the
// others no further than to find it. name is the claim's name, or, where it is
// nested, a JSON Pointer (RFC 6901), which begins with a slash: "/tenant/plan",
// "/groups/0". The error matches ErrNoClaim if there is no such claim, or says that
// its value does not fit dst, which may then hold part of it.
//
//	var plan string
//	if err := token.Claim("/tenant/plan", &plan); err != nil || plan != "gold" {
//		…
//	}
func (t *Token) Claim(name string, dst any) error {
	if t.none() {
		return errors.New("validator: " + noToken)
	}
	value, err := t.there().at(name)
	if err != nil {
		return err
	}
	if value == nil || value.IsNull() {
		return fmt.Errorf("validator: %w: %s", ErrNoClaim, quote.Value(name))
	}
	if err := json.Unmarshal(bytes.Clone(value), dst, decoding); err != nil {
		return fmt.Errorf("validator: claim %s does not fit %T: %w", quote.Value(name), dst, err)
	}
	return nil
}

// at returns the value that name leads to, or nil.
func (c *contents) at(name string) (strictjson.Value, error) {
	if escapes := strings.Count(name, "~"); strings.HasPrefix(name, "/") && escapes != strings.Count(name, "~0")+strings.Count(name, "~1") {
		return nil, fmt.Errorf("validator: %s is no JSON Pointer: ~ must be written as ~0, and a slash in a name as ~1 (RFC 6901 §3)", quote.Value(name))
	}
	value := strictjson.Value(bytes.TrimLeft(c.claims, " \t\r\n"))
	for _, step := range steps(name) {
		var err error
		switch value[0] {
		case '{':
			value, err = strictjson.Find(value, step)
		case '[':
			value, err = element(value, step)
		default:
			return nil, nil
		}
		if value == nil || err != nil {
			return nil, err // of a walk over what was read before, there is none
		}
	}
	return value, nil
}

// element is the element of an array that a step of a JSON Pointer names (RFC 6901
// §4), or nil.
func element(array strictjson.Value, step string) (strictjson.Value, error) {
	n, err := strconv.ParseUint(step, 10, 31)
	if err != nil || strconv.FormatUint(n, 10) != step { // no sign and no leading zero
		return nil, nil
	}
	var all []jsontext.Value
	if err := json.Unmarshal(array, &all); err != nil || n >= uint64(len(all)) {
		return nil, err
	}
	return strictjson.Value(all[n]), nil
}
