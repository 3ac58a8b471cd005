package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// marked says whose byte order mark text begins with, as some editors and shells let
// it; empty if it begins with none.
func marked(text []byte) string {
	for mark, of := range map[string]string{"\xef\xbb\xbf": "UTF-8", "\xff\xfe": "UTF-16", "\xfe\xff": "UTF-16"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return of
		}
	}
	return ""
}

// Why tells an operator where text ceases to be strict JSON, given the error of
// a decoder that was to read it. It quotes nothing of the text, and is empty if
// the text is strict JSON, of another form than was wanted.
func Why(text []byte, err error) string { return WhyAt(text, err, 0) }

// WhyAt is Why for the error of a decoder that was to read a part of text, from
// base on.
func WhyAt(text []byte, err error, base int) string {
	switch {
	case marked(text) != "":
		return "it begins with a byte order mark of " + marked(text) + ", wanted UTF-8 without one (RFC 8259 §8.1)"
	case len(text) > 1 && (text[0] == 0 || text[1] == 0):
		return "it reads as UTF-16 or UTF-32, wanted UTF-8 (RFC 8259 §8.1)"
	case bytes.HasPrefix(text, []byte("\x1f\x8b")):
		return "it is compressed by gzip, and no Content-Encoding says so"
	case len(text) == 0:
		return "it is empty"
	}
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		return ""
	}
	at := base + int(syntax.ByteOffset)
	return fmt.Sprintf("at offset %d of %d bytes, %s", at, len(text), fault(text, at, err))
}

// fault says in constant words what is wrong at an offset.
func fault(text []byte, at int, err error) string {
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "a member has the name of an earlier one"
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || at >= len(text):
		return "it breaks off"
	case text[at] < ' ':
		return "a control character, such as a line break, stands where none may, or in a string without a backslash"
	case text[at] > '~':
		return "there is what is no UTF-8, or belongs into a string"
	}
	return "it is no JSON from there on"
}
