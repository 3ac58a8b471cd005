package jwks

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// errNotSet is what a text is that holds no set.
var errNotSet = errors.New(`not a strict JSON object with an array "keys" (RFC 7517 §5)`)

// element is one element of "keys": its text, where that begins in the set, and
// how deeply it nests.
type element struct {
	text  jsontext.Value
	at    int
	depth int
}

// tolerant is JSON with the faults that one key may have without harm to the
// others.
var tolerant = []json.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// maxNesting is a little less than what jsontext reads at all.
const maxNesting = 9000

// split takes the keys out of a set. The set without them must be strict JSON,
// and each of them must be JSON, or two readers could take the text for
// different sets. Doubled names, bad UTF-8 and depth within a key are that key's
// own faults, and parseKey's to judge.
func split(text []byte) ([]element, error) {
	keys, rest, matched := cut(text)
	if len(keys) > maxKeys {
		return nil, errManyKeys
	}
	if !matched {
		keys, rest = nil, text // and the decoder says what is wrong
	}
	var doc struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(rest, &doc); err != nil {
		return nil, notSet(text, err, 0)
	}
	if doc.Keys == nil || len(doc.Keys) != len(keys) {
		return nil, errNotSet
	}
	for _, k := range keys {
		if k.depth >= maxNesting {
			if !isJSON(k.text) {
				return nil, errNotSet
			}
		} else if _, err := jsontext.AppendFormat(nil, k.text, tolerant...); err != nil {
			return nil, notSet(text, err, k.at)
		}
	}
	return keys, nil
}

// notSet says what is wrong in a part of the set that begins at offset.
func notSet(text []byte, err error, offset int) error {
	if why := strictjson.WhyAt(text, err, offset); why != "" {
		return fmt.Errorf("%w: %s", errNotSet, why)
	}
	return errNotSet
}

// cut finds the elements of an array "keys" in the outermost object, and returns
// them and the text with a 0 in the place of each. It goes by strings and
// brackets, which mean the same to everybody who reads JSON; matched is false if
// these do not match, if something stands between them of which no JSON is made,
// or if there are more elements than a set may have, of which it returns one more.
func cut(text []byte) (keys []element, rest []byte, matched bool) {
	rest = bytes.Clone(text)
	var open []byte // the brackets that are to come
	var name []byte // the last string in the outermost object
	start := -1     // where the element under way begins; negative outside of "keys"
	deepest := 0    // in it
	ends := func(end int) {
		if k := bytes.TrimSpace(text[start:end]); len(k) > 0 {
			keys = append(keys, element{k, end - len(bytes.TrimLeft(text[start:end], " \t\r\n")), deepest})
			blank := rest[start:end]
			copy(blank, "0")
			for i := range blank[1:] {
				blank[1+i] = ' '
			}
		}
		start, deepest = end+1, 0
	}
	for at := 0; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"':
			end := stringEnd(text, at)
			if end == 0 {
				return nil, nil, false
			}
			if len(open) == 1 {
				name = text[at:end]
			}
			at = end - 1
		case c == '{' || c == '[':
			if c == '[' && len(open) == 1 && isKeys(name) {
				start, deepest = at+1, 0
			}
			open = append(open, c+2) // '}' or ']'
			deepest = max(deepest, len(open)-2)
		case c == '}' || c == ']':
			if len(open) == 0 || open[len(open)-1] != c {
				return nil, nil, false
			}
			if len(open) == 2 && start >= 0 {
				ends(at)
				start = -1
			}
			open = open[:len(open)-1]
		case c == ',' && len(open) == 2 && start >= 0:
			if ends(at); len(keys) > maxKeys {
				return keys, nil, false
			}
		case strings.IndexByte(" \t\r\n,:+-.0123456789eEtrufalsn", c) < 0:
			return nil, nil, false
		}
	}
	return keys, rest, len(open) == 0
}

// stringEnd returns where the string that begins at at ends, or 0.
func stringEnd(text []byte, at int) int {
	for at++; at < len(text); at++ {
		switch text[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return 0
}

func isKeys(name []byte) bool {
	unquoted, err := jsontext.AppendUnquote(nil, name)
	return err == nil && string(unquoted) == "keys"
}
