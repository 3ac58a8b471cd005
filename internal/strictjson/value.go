package strictjson

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"
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
		return v.isString(text)
	}
	return len(v) > 0 && v[0] != '{' && v[0] != '[' && !v.IsNull() && string(v) == text
}

// isString compares up to the first difference, without a copy.
func (v Value) isString(text string) bool {
	if len(v)-2 < len(text) || len(v)-2 > len(`\u0000`)*len(text) {
		return false // no character takes less than its own bytes, or more than an escape of each
	}
	inner := v[1 : len(v)-1]
	for len(inner) > 0 {
		if inner[0] != '\\' {
			if text == "" || text[0] != inner[0] {
				return false
			}
			inner, text = inner[1:], text[1:]
			continue
		}
		var room [utf8.UTFMax]byte
		end, ok := escapeEnd(inner, 0)
		if !ok {
			return false
		}
		stands, _ := appendUnescaped(room[:0], inner[:end])
		if !strings.HasPrefix(text, asString(stands)) {
			return false
		}
		inner, text = inner[end:], text[len(stands):]
	}
	return text == ""
}

// String returns the text of a JSON string. Without escapes it shares v's
// memory: callers own the text and never change it.
func (v Value) String() (string, error) {
	if len(v) < 2 || v[0] != '"' {
		return "", ErrNotString
	}
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return asString(inner), nil
	}
	text, ok := appendUnescaped(make([]byte, 0, len(inner)), inner)
	if !ok {
		return "", ErrNotString
	}
	return asString(slices.Clip(bytes.Clone(text))), nil // callers keep it, and not its room
}

// Longest is how long a JSON string may be, between its marks, that stands for a
// text of n bytes.
func Longest(n int) int { return len(`\u0000`) * n }

// Text returns what a JSON string stands for, where it is no longer between its marks
// than room, which is written to if it holds escapes. Else, and for what is no
// string, fits is false.
func (v Value) Text(room []byte) (text []byte, fits bool) {
	if len(v) == 0 || v[0] != '"' || len(v)-2 > len(room) {
		return nil, false
	}
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	return appendUnescaped(room[:0], inner) // which is no longer
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
	n := 0
	if err := v.EachString(func(Value) bool { n++; return true }); err != nil {
		return dst, err
	}
	if dst == nil && n > 0 {
		dst = make([]string, 0, n)
	}
	err := v.EachString(func(e Value) bool {
		s, _ := e.String()
		dst = append(dst, s)
		return true
	})
	return dst, err
}

// EachString calls visit for a string, or for each element of an array of
// strings, until visit returns false. An error means that v is neither, or that
// an element met until then is no string.
func (v Value) EachString(visit func(Value) bool) error {
	if len(v) > 0 && v[0] == '"' {
		visit(v)
		return nil
	}
	if len(v) == 0 || v[0] != '[' {
		return ErrNotStrings
	}
	for at := skipSpace(v, 1); at < len(v) && v[at] != ']'; {
		if v[at] != '"' {
			return ErrNotStrings
		}
		end := pastValue(v, at)
		if !visit(v[at:end:end]) {
			return nil
		}
		at = skipSpace(v, end)
		if at < len(v) && v[at] == ',' {
			at = skipSpace(v, at+1)
		}
	}
	return nil
}

// maxDate is the end of the year 9999. Dates from 1970 to then are taken: adding
// a clock skew to them cannot overflow a time.Time. (Nanoseconds in an int64 end
// in 2262.)
const maxDate = 253402300799

// maxExponential is the longest date with an exponent that is read: what
// reading one costs grows faster than its length.
const maxExponential = 64

// Date returns a NumericDate: a JSON number of seconds since 1970, in which
// fractions and exponents are allowed. Negative numbers and what lies beyond
// the year 9999 are refused. Of a fraction, nanoseconds count.
func (v Value) Date() (time.Time, error) {
	if len(v) == 0 || v[0] < '0' || v[0] > '9' {
		return time.Time{}, ErrNotDate
	}
	point := digitsEnd(v, 0)
	sec, ok := whole(v[:point])
	if point == len(v) || v[point] == '.' && digitsEnd(v, point+1) == len(v) {
		if !ok || sec > maxDate {
			return time.Time{}, ErrNotDate
		}
		nanos := nanoseconds(v[point:])
		if sec == maxDate && nanos > 0 {
			return time.Time{}, ErrNotDate
		}
		return time.Unix(sec, nanos), nil
	}
	if len(v) > maxExponential {
		return time.Time{}, ErrNotDate
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f > maxDate {
		return time.Time{}, ErrNotDate
	}
	seconds, fraction := math.Modf(f)
	return time.Unix(int64(seconds), int64(fraction*1e9)), nil
}

// whole reads at most 18 digits.
func whole(digits []byte) (n int64, ok bool) {
	if len(digits) > 18 {
		return 0, false
	}
	for _, c := range digits {
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// nanoseconds reads a point and the digits after it.
func nanoseconds(fraction []byte) (n int64) {
	for place := 1; place <= 9; place++ {
		n *= 10
		if place < len(fraction) {
			n += int64(fraction[place] - '0')
		}
	}
	return n
}
