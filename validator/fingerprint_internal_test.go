package validator

import (
	"reflect"
	"strings"
	"testing"
)

// A pool keeps buffers for longer than requests last: what was hashed must not
// stay in them.
func TestFingerprintsLeaveNothingInTheirBuffers(t *testing.T) {
	f := newFingerprinter()
	b := f.pool.New().(*fingerprintBuffer)
	f.pool.New = func() any { return b }
	for _, token := range []string{"an-opaque-token-of-43-characters-0123456789", strings.Repeat("0123456789-another-one-", 20)} {
		for range 2 {
			f.sum(token)
			if held := bytesIn(reflect.ValueOf(b), map[uintptr]bool{}); strings.Contains(held, token[len(token)-8:]) {
				t.Fatalf("%q is still there", token)
			}
		}
	}
}

// bytesIn strings together the arrays and slices of bytes that v leads to.
func bytesIn(v reflect.Value, seen map[uintptr]bool) string {
	var held strings.Builder
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return ""
		}
		seen[v.Pointer()] = true
		return bytesIn(v.Elem(), seen)
	case reflect.Interface:
		if v.IsNil() {
			return ""
		}
		return bytesIn(v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			held.WriteString(bytesIn(v.Field(i), seen))
		}
	case reflect.Array, reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			return ""
		}
		for i := range v.Len() {
			held.WriteByte(byte(v.Index(i).Uint()))
		}
	}
	return held.String()
}
