package connectcalls_test

import (
	"log/slog"
	"os"
	"testing"

	"connectrpc.com/connect"

	"github.com/m2mguard/m2mguard/bench/internal/connectcalls"
	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) {
	slog.SetLogLoggerLevel(slog.LevelError) // what is refused here is refused on purpose
	os.Exit(m.Run())
}

// TestEachDoesTheWholeJob: whoever guards lets the good token in, and no bad one.
func TestEachDoesTheWholeJob(t *testing.T) {
	f, err := fixture.New("RS256")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	v, err := contender.NewValidator(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	guards, err := connectcalls.Guards(f, v)
	if err != nil {
		t.Fatal(err)
	}
	for n, g := range guards {
		call, end := g.Serve()
		t.Cleanup(end)
		if err := call(f.Good()); err != nil {
			t.Errorf("%s: %v", g.Name, err)
		}
		if n == 0 {
			if err := call("none"); err != nil {
				t.Errorf("%s is guarded: %v", g.Name, err)
			}
			continue
		}
		for _, bad := range f.Rejections() {
			if code := connect.CodeOf(call(bad.Token)); code != connect.CodeUnauthenticated {
				t.Errorf("%s, %s: %v", g.Name, bad.Name, code)
			}
		}
		if code := connect.CodeOf(call(f.Token(issuertest.Claims{Algorithm: f.Algorithm, Scope: "orders:write"}))); code != connect.CodePermissionDenied {
			t.Errorf("%s, another scope: %v", g.Name, code)
		}
	}
}
