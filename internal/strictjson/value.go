package strictjson

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"time"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// Value is one syntactically valid JSON value, as raw text.
type Value []byte

// Errors of conversions. They hold no input.
var (
	ErrNotString  = errors.New("is not a string")
	ErrNotStrings = errors.New("is neither a string nor an array of strings")
	ErrNotDate    = errors.New("is not a NumericDate (RFC 7519 §2)")
	ErrNotBool    = errors.New("is not true or false")
)

// IsNull reports whether v is the literal null.
func (v Value) IsNull() bool { return string(v) == "null" }

// Is reports whether v is the JSON string text, or a number, true or false
// spelt like text.
func (v Value) Is(text string) bool {
	if len(v) > 0 && v[0] == '"' {
		s, err := v.String()
		return err == nil && s == text
	}
	return len(v) > 0 && v[0] != '{' && v[0] != '[' && !v.IsNull() && string(v) == text
}

// String returns the text of a JSON string. Without escapes it shares v's
// memory: callers own the text and never change it.
func (v Value) String() (string, error) {
	if len(v) < 2 || v[0] != '"' {
		return "", ErrNotString
	}
	if inner := v[1 : len(v)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return asString(inner), nil
	}
	text, err := jsontext.AppendUnquote(nil, []byte(v))
	if err != nil {
		return "", ErrNotString
	}
	return string(text), nil
}

// asString views b as a string.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Bool returns a JSON boolean; "true" in quotes is none (RFC 7662 §2.2).
func (v Value) Bool() (bool, error) {
	switch string(v) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, ErrNotBool
}

// Strings returns a string or an array of strings, appended to dst.
func (v Value) Strings(dst []string) ([]string, error) {
	if len(v) > 0 && v[0] == '"' {
		s, err := v.String()
		if err != nil {
			return dst, err
		}
		return append(dst, s), nil
	}
	err := v.elements(func(e Value) error {
		s, err := e.String()
		if err != nil {
			return ErrNotStrings
		}
		dst = append(dst, s)
		return nil
	})
	return dst, err
}

// elements calls visit for each element of an array that is known to be valid.
func (v Value) elements(visit func(Value) error) error {
	if len(v) == 0 || v[0] != '[' {
		return ErrNotStrings
	}
	r := readers.Get().(*reader)
	defer r.release()
	r.reset(v)
	if _, err := r.dec.ReadToken(); err != nil {
		return ErrSyntax
	}
	for r.dec.PeekKind() != ']' {
		e, err := r.dec.ReadValue()
		if err != nil {
			return ErrSyntax
		}
		if err := visit(Value(e)); err != nil {
			return err
		}
	}
	return nil
}

// maxDate is the end of the year 9999. Dates from 1970 to then are taken: adding
// a clock skew to them cannot overflow a time.Time. (Nanoseconds in an int64 end
// in 2262.)
const maxDate = 253402300799

// Date returns a NumericDate: a JSON number of seconds since 1970, in which
// fractions and exponents are allowed. Negative numbers and what lies beyond
// the year 9999 are refused.
func (v Value) Date() (time.Time, error) {
	if len(v) == 0 || v[0] < '0' || v[0] > '9' {
		return time.Time{}, ErrNotDate
	}
	if sec, ok := v.whole(); ok {
		if sec > maxDate {
			return time.Time{}, ErrNotDate
		}
		return time.Unix(sec, 0), nil
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f > maxDate {
		return time.Time{}, ErrNotDate
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(frac*1e9)), nil
}

// whole reads a number of at most 18 digits and nothing else, which is what
// almost every date is.
func (v Value) whole() (n int64, ok bool) {
	if len(v) > 18 {
		return 0, false
	}
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
