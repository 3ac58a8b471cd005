package size

import (
	"slices"
	"testing"
)

func TestParts(t *testing.T) {
	const symbols = `
  401000        100 T runtime.mallocgc
  401100         20 t net/http.(*conn).serve
  401200         30 T example.com/a/b/v2.F
  401300          7 T example.com/a/b/v2/inner.(*T).M
  401400          5 T example.com/a.F[go.shape.struct { net/http.a int }]
  401450          3 T type:.eq.example.com/a/x%2ey.T
  401500         11 T main.main
  401600        900 D runtime.mheap_
  401700       1000 B net/http.big
  401800            U malloc
  401900          2 T _cgo_topofstack
`
	got := parts(symbols, []string{"example.com/a/b/v2", "example.com/a"})
	want := []Part{{Standard, 120}, {"example.com/a/b/v2", 37}, {"example.com/a", 8}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, wanted %v", got, want)
	}
}

// The unguarded service and ours are built, and ours is in ours.
func TestMeasure(t *testing.T) {
	programs, err := Measure(Services[:2])
	if err != nil {
		t.Fatal(err)
	}
	plain, ours := programs[0], programs[1]
	for _, p := range programs {
		if p.Stripped < 1<<20 || p.Plain <= p.Stripped || p.Packages < 50 || len(p.Parts) == 0 {
			t.Errorf("%+v", p)
		}
	}
	if plain.Modules != 0 || len(plain.Parts) != 1 || plain.Parts[0].Module != Standard {
		t.Errorf("the unguarded service holds more than the standard library: %+v", plain)
	}
	ofUs := slices.ContainsFunc(ours.Parts, func(p Part) bool { return p.Module == "github.com/m2mguard/m2mguard" && p.Bytes > 10_000 })
	if !ofUs || ours.Modules == 0 || ours.Plain <= plain.Plain || ours.Packages <= plain.Packages {
		t.Errorf("%+v, of which the unguarded one is %+v", ours, plain)
	}
	if _, err := Measure([]Service{{"nobody's", "none"}}); err == nil {
		t.Error("a service that is not there was built")
	}
}
