package fleet_test

import (
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/revocation"
)

// TestRevokesAfterJunk: one write by somebody without the secret, of what no command of
// ours takes, does not keep Revoke from going on, nor a new instance from starting.
func TestRevokesAfterJunk(t *testing.T) {
	needsRedis(t)
	const last = "18446744073709551615-18446744073709551615"
	for name, command := range map[string][]string{
		"a sequence that is no number": {"HSET", metaKey, "sequence", "zzzz"},
		"a short sequence":             {"HSET", metaKey, "sequence", "1"},
		"changes that are no number":   {"HSET", metaKey, "changes", "x"},
		"changes at their end":         {"HSET", metaKey, "changes", "9223372036854775807"},
		"the last id of the log":       {"XADD", logKey, last, "x", "y"},
		"another kind of set":          {"SET", setKey, "x"},
		"another kind of log":          {"SET", logKey, "x"},
		"another kind of meta":         {"SET", metaKey, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			server := startRedis(t)
			a, b := start(t, server.Address, nil), start(t, server.Address, nil)
			eventually(t, "loaded", func() bool { return loaded(a)() && loaded(b)() })
			if _, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "before"))); err != nil {
				t.Fatal(err)
			}
			if _, err := server.Do(command...); err != nil {
				t.Fatal(err)
			}
			eventually(t, "revoked", func() bool {
				_, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "after")))
				return err == nil && refuses(b, "after")
			})
			eventually(t, "written back", func() bool {
				c := start(t, server.Address, func(f *fleet.Config) { f.RevokeTimeout = time.Second })
				defer c.Close()
				eventually(t, "a new one is loaded", loaded(c))
				return refuses(c, "before") && refuses(c, "after")
			})
		})
	}
}
