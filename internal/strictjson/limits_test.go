package strictjson_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

func walk(l strictjson.Limits, text string) error {
	return l.Walk([]byte(text), func(string, strictjson.Value) error { return nil })
}

func TestLimits(t *testing.T) {
	members := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`"%d":0`, i))
		}
		return "{" + strings.Join(list, ",") + "}"
	}
	for _, tc := range []struct {
		name, text string
		limits     strictjson.Limits
		err        error
	}{
		{"members", members(50), strictjson.Limits{Members: 50, Values: 50}, nil},
		{"one member more", members(51), strictjson.Limits{Members: 50, Values: 99}, strictjson.ErrMany},
		{"members within", `{"a":` + members(49) + `}`, strictjson.Limits{Members: 50, Values: 50}, nil},
		{"one member more within", `{"a":[` + members(25) + `,` + members(25) + `]}`, strictjson.Limits{Members: 50, Values: 99}, strictjson.ErrMany},
		{"elements", `{"a":[1,[],{},"",null]}`, strictjson.Limits{Members: 1, Values: 6}, nil},
		{"one element more", `{"a":[1,[],{},"",null,0]}`, strictjson.Limits{Members: 1, Values: 6}, strictjson.ErrMany},
		{"no member", `{}`, strictjson.Limits{}, nil},
		{"a fault before the limit", `{"a":01}`, strictjson.Limits{Members: 1, Values: 1}, strictjson.ErrSyntax},
		{"nothing is read beyond it", `{"a":1,"b":` + strings.Repeat("[", 5000), strictjson.Limits{Members: 1, Values: 1}, strictjson.ErrMany},
		{"unlimited", members(5000), strictjson.Unlimited, nil},
	} {
		if err := walk(tc.limits, tc.text); err != tc.err {
			t.Errorf("%s: %v, wanted %v", tc.name, err, tc.err)
		}
	}
}

// TestDuplicatesAmongMany finds one name that occurs twice, wherever both stand,
// in objects of any size, and none where two objects share a name.
func TestDuplicatesAmongMany(t *testing.T) {
	object := func(n int, change func(names []string)) string {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf(`"n%d":%d`, i, i)
		}
		change(names)
		return "{" + strings.Join(names, ",") + "}"
	}
	same := func([]string) {}
	for _, n := range []int{2, 3, 23, 24, 25, 26, 31, 32, 33, 34, 100, 1000} {
		for _, around := range []string{`%s`, `{"n0":%s}`, `{"n0":{"n1":[%s]}}`, `{"n0":` + object(40, same) + `,"n1":%s}`, `{"n0":[{"n1":1},{"n1":%s}]}`} {
			if text := fmt.Sprintf(around, object(n, same)); walk(strictjson.Unlimited, text) != nil {
				t.Errorf("%d names in %.40s are refused", n, around)
			}
			for _, pair := range [][2]int{{0, 1}, {0, n - 1}, {n / 2, n - 1}, {n - 2, n - 1}} {
				if pair[0] == pair[1] {
					continue
				}
				for _, spelling := range []string{`"n%d":0`, `"\u006e%d":0`} {
					text := fmt.Sprintf(around, object(n, func(names []string) { names[pair[1]] = fmt.Sprintf(spelling, pair[0]) }))
					if err := walk(strictjson.Unlimited, text); err != strictjson.ErrSyntax {
						t.Errorf("name %d of %d again as number %d in %.40s: %v", pair[0], n, pair[1], around, err)
					}
				}
			}
		}
	}
	// A parent's name after a child that took many.
	for _, text := range []string{
		`{"a":1,"b":` + object(50, same) + `,"a":2}`,
		`{"x":` + object(30, func(names []string) { names[29] = `"c":` + object(60, same) }) + `,"n0":1,"x":2}`,
	} {
		if err := walk(strictjson.Unlimited, text); err != strictjson.ErrSyntax {
			t.Errorf("%.40s…: %v", text, err)
		}
	}
}

// TestHostileTextsCostLittle counts what a walk allocates: nothing for each
// member, element or escape.
func TestHostileTextsCostLittle(t *testing.T) {
	fill := func(open, end string, member func(i int) string) []byte {
		var s strings.Builder
		s.WriteString(open)
		for i := 0; s.Len() < 12_000; i++ {
			s.WriteString(member(i) + ",")
		}
		return []byte(strings.TrimSuffix(s.String(), ",") + end)
	}
	for name, text := range map[string][]byte{
		"members":       fill(`{`, `}`, func(i int) string { return fmt.Sprintf(`"%x":0`, i) }),
		"with escapes":  fill(`{`, `}`, func(i int) string { return fmt.Sprintf(`"\n%x":"\n"`, i) }),
		"within":        fill(`{"x":{`, `}}`, func(i int) string { return fmt.Sprintf(`"%x":[]`, i) }),
		"objects":       fill(`{"x":[`, `]}`, func(int) string { return `{"":0}` }),
		"small objects": fill(`{"x":[`, `]}`, func(int) string { return `{"a":0,"b":{},"c":[[]]}` }),
		"strings":       fill(`{"x":[`, `]}`, func(int) string { return `"\u00e9"` }),
	} {
		n := testing.AllocsPerRun(5, func() {
			if err := walk(strictjson.Unlimited, string(text)); err != nil {
				t.Fatal(err)
			}
		})
		if n > 40 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
