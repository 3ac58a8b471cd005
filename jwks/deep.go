package jwks

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// isJSON reports whether text is JSON, tolerantly, however deeply it nests:
// jsontext reads no more than 10,000 levels. What is no bracket, comma or colon
// is jsontext's to judge.
func isJSON(text []byte) bool {
	var open []byte // the brackets that are to come
	before := byte(',')
	for at := 0; at < len(text); {
		c := text[at]
		end := at + 1
		value := before == ':' || before == ',' || before == '['
		inObject := len(open) > 0 && open[len(open)-1] == '}'
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			at++
			continue
		case c == '{' || c == '[':
			if !value || inObject && before != ':' {
				return false
			}
			open = append(open, c+2)
		case c == '}' || c == ']':
			if len(open) == 0 || open[len(open)-1] != c || before != c-2 && before != valueEnd {
				return false
			}
			open, c = open[:len(open)-1], valueEnd
		case c == ',':
			if before != valueEnd || len(open) == 0 {
				return false
			}
		case c == ':':
			if before != nameEnd {
				return false
			}
		case inObject && before != ':':
			if before != '{' && before != ',' || c != '"' {
				return false
			}
			if end = scalarEnd(text, at); end == 0 {
				return false
			}
			c = nameEnd
		default:
			if end = scalarEnd(text, at); end == 0 || !value {
				return false
			}
			c = valueEnd
		}
		at, before = end, c
	}
	return before == valueEnd && len(open) == 0
}

// What was before, if it was no bracket, comma or colon.
const (
	valueEnd = 'v'
	nameEnd  = 'n'
)

// scalarEnd returns where the string, number or literal at at ends, or 0 if it is
// none.
func scalarEnd(text []byte, at int) int {
	end := stringEnd(text, at)
	if text[at] != '"' {
		end = at + 1
		for end < len(text) && bytes.IndexByte([]byte(" \t\r\n,:]}[{\""), text[end]) < 0 {
			end++
		}
	}
	if end == 0 || !jsontext.Value(text[at:end]).IsValid(tolerant...) {
		return 0
	}
	return end
}
