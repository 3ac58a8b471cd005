package fleet_test

import (
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/revocation"
)

const (
	setKey  = "{m2mguard:orders}:revoked"
	logKey  = "{m2mguard:orders}:log"
	metaKey = "{m2mguard:orders}:meta"
)

// seal has an instance write an entry, and returns what stands in the set by it.
func seal(t *testing.T, change func(*fleet.Config), e revocation.Entry) (field, value string) {
	t.Helper()
	server := miniredis.RunT(t)
	name := "orders"
	f := start(t, server.Addr(), func(c *fleet.Config) {
		if change != nil {
			change(c)
		}
		name = c.Name
	})
	if _, err := f.Revoke(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	key := "{m2mguard:" + name + "}:revoked"
	fields, err := server.HKeys(key)
	if err != nil || len(fields) != 1 {
		t.Fatalf("the set has %q (%v), wanted one record", fields, err)
	}
	return fields[0], server.HGet(key, fields[0])
}

// TestTamperedRecords: what was altered, cut, moved, made by another deployment or with
// a retired secret changes nothing, wherever it stands, and is reported.
func TestTamperedRecords(t *testing.T) {
	const client = "victim"
	block := revocation.Block(revocation.Client(issuer, client))
	field, value := seal(t, nil, block)
	foreignField, foreign := seal(t, func(c *fleet.Config) { c.Name = "payments" }, block)
	retiredField, retired := seal(t, func(c *fleet.Config) { c.Secrets = secrets(secretB) }, block)
	flip := func(at int) string {
		b := []byte(value)
		b[at] ^= 1
		return string(b)
	}
	for name, of := range map[string]struct{ field, value string }{
		"sealed bytes altered":     {field, flip(len(value) - 20)},
		"the tag altered":          {field, flip(len(value) - 1)},
		"the version altered":      {field, flip(16)},
		"another sequence before":  {field, "ffffffffffffffff" + value[16:]},
		"cut":                      {field, value[:len(value)-1]},
		"cut to the sequence":      {field, value[:16]},
		"lengthened":               {field, value + "\x00"},
		"empty":                    {field, ""},
		"in another's place":       {strings.Repeat("A", 22), value},
		"in a place that is none":  {"x", value},
		"of another deployment":    {foreignField, foreign},
		"made with another secret": {retiredField, retired},
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			server.HSet(setKey, of.field, of.value)
			var in, by events
			a := start(t, server.Addr(), func(c *fleet.Config) { c.Observer = in.observer() })
			eventually(t, "a loaded", loaded(a))
			if refuses(a, client) {
				t.Error("it counts where it stood in the set")
			}
			eventually(t, "a told", func() bool { return in.has("1 records in Redis count for nothing") })

			b := start(t, server.Addr(), func(c *fleet.Config) { c.Observer = by.observer() })
			eventually(t, "b loaded", loaded(b))
			sequence, sealed := "", of.value
			if len(sealed) >= 16 {
				sequence, sealed = sealed[:16], sealed[16:]
			}
			if _, err := server.XAdd(logKey, "*", []string{"field", of.field, "sequence", sequence, "record", sealed, "change", "1"}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "b told", func() bool { return by.has("a record in Redis' log counts for nothing") })
			if refuses(b, client) {
				t.Error("it counts where it came by the log")
			}
			// It is in nobody's way.
			if _, err := b.Revoke(t.Context(), block); err != nil {
				t.Fatal(err)
			}
			eventually(t, "both refuse", func() bool { return refuses(a, client) && refuses(b, client) })
			now := b.Revocations().Stats().Age
			eventually(t, "b is current", func() bool { s := b.Revocations().Stats(); return s.Age < 200*time.Millisecond || s.Age < now })
		})
	}
	t.Run("as it was", func(t *testing.T) {
		server := miniredis.RunT(t)
		server.HSet(setKey, field, value)
		a := start(t, server.Addr(), nil)
		eventually(t, "loaded", loaded(a))
		if !refuses(a, client) {
			t.Error("it does not count, so that this test shows nothing")
		}
	})
}

// TestNumbersGoOn: a number that nobody wrote does not end all others.
func TestNumbersGoOn(t *testing.T) {
	server := miniredis.RunT(t)
	server.HSet(metaKey, "sequence", "ffffffffffffffff")
	a := start(t, server.Addr(), nil)
	for _, e := range []revocation.Entry{revocation.Block(revocation.Client(issuer, "one")), revocation.Lift(revocation.Client(issuer, "one"))} {
		if _, err := a.Revoke(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if refuses(a, "one") {
		t.Error("the lift's number is not above the entry's")
	}
}

// TestTakenAway: each instance that is up notices what was taken out of Redis, and it
// is written back.
func TestTakenAway(t *testing.T) {
	for name, take := range map[string]func(*testing.T, *miniredis.Miniredis){
		"all":     func(_ *testing.T, s *miniredis.Miniredis) { s.FlushAll() },
		"the set": func(_ *testing.T, s *miniredis.Miniredis) { s.Del(setKey) },
		"one record": func(t *testing.T, s *miniredis.Miniredis) {
			fields, err := s.HKeys(setKey)
			if err != nil {
				t.Fatal(err)
			}
			s.HDel(setKey, fields[0])
		},
		"one record altered in its place, as if it were newer": func(t *testing.T, s *miniredis.Miniredis) {
			fields, err := s.HKeys(setKey)
			if err != nil {
				t.Fatal(err)
			}
			s.HSet(setKey, fields[0], "ffffffffffffffff"+s.HGet(setKey, fields[0])[16:])
		},
		"one record, and another put in its place": func(t *testing.T, s *miniredis.Miniredis) {
			fields, err := s.HKeys(setKey)
			if err != nil {
				t.Fatal(err)
			}
			value := s.HGet(setKey, fields[0])
			s.HDel(setKey, fields[0])
			s.HSet(setKey, strings.Repeat("A", 22), value)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			var told events
			var every time.Duration
			if strings.Contains(name, "in its place") {
				every = 300 * time.Millisecond // the number of records says nothing
			}
			a := startTidy(t, server.Addr(), every, func(c *fleet.Config) { c.Observer = told.observer() })
			for _, client := range []string{"one", "two", "three"} {
				if _, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, client))); err != nil {
					t.Fatal(err)
				}
			}
			take(t, server)
			eventually(t, "told", func() bool { return told.has("Redis lacked") })
			eventually(t, "written back", func() bool {
				b := start(t, server.Addr(), nil)
				defer b.Close()
				eventually(t, "b loaded", loaded(b))
				return refuses(b, "one") && refuses(b, "two") && refuses(b, "three")
			})
			if !refuses(a, "one") || !refuses(a, "two") || !refuses(a, "three") {
				t.Error("an instance forgot")
			}
		})
	}
}
