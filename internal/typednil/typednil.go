// Package typednil tells a nil with a type from none: Go's comparison with nil does not,
// and its first call panics.
package typednil

import "reflect"

// Is reports whether x holds a nil pointer, function or map, and so is not nil itself.
func Is(x any) bool {
	v := reflect.ValueOf(x)
	switch v.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map:
		return v.IsNil()
	}
	return false
}
