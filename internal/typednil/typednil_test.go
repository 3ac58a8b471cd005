package typednil_test

import (
	"testing"

	"github.com/m2mguard/m2mguard/internal/typednil"
)

func TestIs(t *testing.T) {
	for name, tc := range map[string]struct {
		x    any
		want bool
	}{
		"nil":         {nil, false},
		"a pointer":   {(*int)(nil), true},
		"a function":  {(func())(nil), true},
		"a map":       {map[string]int(nil), true},
		"a value":     {0, false},
		"one that is": {new(int), false},
	} {
		if got := typednil.Is(tc.x); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
