package revocation_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
)

// poll is how often a file is looked at by default.
const poll = 5 * time.Second

// write writes a file as of the bubble's time.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	date(t, name, time.Now())
}

// replace renames a new file to the name of the old one, as of that one's time.
func replace(t *testing.T, name, text string) {
	t.Helper()
	at := time.Now()
	if info, err := os.Stat(name); err == nil {
		at = info.ModTime()
	}
	write(t, name+".new", text)
	date(t, name+".new", at)
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func date(t *testing.T, name string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(name, at, at); err != nil {
		t.Fatal(err)
	}
}

// elapse lets some time pass, and what is due end.
func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// watched is a list of a file that has some text.
func watched(t *testing.T, name, text string, seen *events, c revocation.Config) *revocation.List {
	t.Helper()
	if text != "" {
		write(t, name, text)
		date(t, name, time.Now().Add(-time.Hour))
	}
	c.File, c.Observer = name, seen.observer()
	l, err := revocation.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	synctest.Wait()
	return l
}

// clients are what is asked of a list: each must be revoked or pass.
func wantClients(t *testing.T, l *revocation.List, when string, want map[string]bool) {
	t.Helper()
	for client, revoked := range want {
		v := ask(l, &revocation.Token{Issuer: example, Client: client, Subject: client, IssuedAt: time.Now()})
		if outcome := v.Outcome(); outcome == revocation.Unavailable || (outcome == revocation.Revoked) != revoked {
			t.Errorf("%s: %s: %v, wanted revoked to be %v", when, client, v, revoked)
		}
	}
}

func entryOf(client string) string {
	return fmt.Sprintf(`{"issuer":%q,"client":%q,"block":true}`, example, client)
}

// TestFile follows a file through what becomes of it.
func TestFile(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, name string)
		want   map[string]bool // of clients a and b
		told   string          // of a failure; empty for none
		stale  bool            // in the end
	}{
		"an entry more, of a higher sequence": {func(t *testing.T, name string) { replace(t, name, document(6, entryOf("a"), entryOf("b"))) }, map[string]bool{"a": true, "b": true}, "", false},
		"an entry more, of the same sequence": {func(t *testing.T, name string) { replace(t, name, document(5, entryOf("a"), entryOf("b"))) }, map[string]bool{"a": true, "b": true}, "", false},
		"another one, of a higher sequence":   {func(t *testing.T, name string) { replace(t, name, document(6, entryOf("b"))) }, map[string]bool{"a": false, "b": true}, "", false},
		"none, of a higher sequence":          {func(t *testing.T, name string) { replace(t, name, document(6)) }, map[string]bool{"a": false, "b": false}, "", false},
		"another one, of the same sequence": {func(t *testing.T, name string) { replace(t, name, document(5, entryOf("b"))) }, map[string]bool{"a": true, "b": true},
			"1 of the entries that count are gone from it, and its sequence is no higher than before", false},
		"another one, of a lower sequence": {func(t *testing.T, name string) { replace(t, name, document(4, entryOf("b"))) }, map[string]bool{"a": true, "b": true},
			"its sequence is 4, and 5 was read before: its entries count, and nothing is lifted", true},
		"written in place": {func(t *testing.T, name string) { write(t, name, document(6, entryOf("b"))) }, map[string]bool{"a": false, "b": true}, "", false},
		"lifted and revoked again": {func(t *testing.T, name string) {
			replace(t, name, document(6))
			elapse(poll)
			replace(t, name, document(7, entryOf("a")))
		}, map[string]bool{"a": true, "b": false}, "", false},
		"lifted, and revoked in the same sequence": {func(t *testing.T, name string) {
			replace(t, name, document(6))
			elapse(poll)
			replace(t, name, document(6, entryOf("a")))
		}, map[string]bool{"a": true, "b": false}, "", false},
		"an old copy of what was lifted": {func(t *testing.T, name string) {
			replace(t, name, document(6, entryOf("b")))
			elapse(poll)
			replace(t, name, document(5, entryOf("a")))
		}, map[string]bool{"a": true, "b": true}, "its sequence is 5, and 6 was read before", true},
		"empty":          {func(t *testing.T, name string) { replace(t, name, "") }, map[string]bool{"a": true, "b": false}, "it is empty", true},
		"half":           {func(t *testing.T, name string) { replace(t, name, document(6, entryOf("b"))[:70]) }, map[string]bool{"a": true, "b": false}, "breaks off", true},
		"one wrong line": {func(t *testing.T, name string) { replace(t, name, document(6, entryOf("b"), `{}`)) }, map[string]bool{"a": true, "b": false}, "entry 2: wanted either block", true},
		"an opaque token without secrets": {func(t *testing.T, name string) {
			replace(t, name, document(6, `{"issuer":"i","opaque_hash":"`+strings.Repeat("0f", 32)+`","block":true}`))
		}, map[string]bool{"a": true, "b": false}, "entry 1: revocation: an opaque token cannot be told without Config.Secrets", true},
		"too many": {func(t *testing.T, name string) {
			replace(t, name, document(6, strings.Split(strings.Repeat(blocked+"\n", 1001), "\n")[:1001]...))
		}, map[string]bool{"a": true, "b": false}, "Config.MaxEntries is 1000", true},
		"too large": {func(t *testing.T, name string) {
			replace(t, name, document(6, entryOf("b"))+strings.Repeat(" ", 1000<<10))
		}, map[string]bool{"a": true, "b": false}, "over the limit of 1024000 bytes", true},
		"gone":           {func(t *testing.T, name string) { _ = os.Remove(name) }, map[string]bool{"a": true, "b": false}, "no such file", true},
		"a folder":       {func(t *testing.T, name string) { _, _ = os.Remove(name), os.Mkdir(name, 0o700) }, map[string]bool{"a": true, "b": false}, "it is not a regular file", true},
		"a link to none": {func(t *testing.T, name string) { _, _ = os.Remove(name), os.Symlink("nowhere", name) }, map[string]bool{"a": true, "b": false}, "no such file", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				file, seen := filepath.Join(dir, "revoked.json"), &events{}
				l := watched(t, file, document(5, entryOf("a")), seen, revocation.Config{MaxEntries: 1000})
				elapse(time.Minute)
				wantClients(t, l, "before", map[string]bool{"a": true, "b": false})
				c.change(t, file)
				elapse(poll)
				wantClients(t, l, "a poll later", c.want)
				elapse(time.Hour)
				wantClients(t, l, "an hour later", c.want)
				failed := seen.of(observe.FeedFailed)
				if c.told == "" && len(failed) > 0 || c.told != "" && (len(failed) != 1 || !strings.Contains(failed[0].Err.Error(), c.told) || !strings.Contains(failed[0].Err.Error(), fmt.Sprintf("the file %q", file))) {
					t.Errorf("told %v, wanted once %q", failed, c.told)
				}
				if l.Stats().Stale != c.stale || len(seen.of(observe.FeedStale)) > 0 != c.stale {
					t.Errorf("%+v, wanted stale to be %v", l.Stats(), c.stale)
				}
				// What is right again is noticed within a poll.
				if err := os.RemoveAll(file); err != nil {
					t.Fatal(err)
				}
				write(t, file, document(9, entryOf("c")))
				elapse(poll)
				wantClients(t, l, "mended", map[string]bool{"a": false, "b": false, "c": true})
				if s := l.Stats(); s.Stale || s.Sequence != 9 || s.Entries != 1 || s.Lifts != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestFileThatIsNotThereYet: nothing passes until it is. What may be a secret in the place
// of a path is told to nobody.
func TestFileThatIsNotThereYet(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		folder, seen := filepath.Join(dir, "lists"), &events{}
		file := filepath.Join(folder, "revoked.json")
		l := watched(t, file, "", seen, revocation.Config{})
		elapse(time.Hour)
		good := &revocation.Token{Issuer: example, Client: "a", Subject: "a"}
		if v := ask(l, good); v.Outcome() != revocation.Unavailable || l.Ready() == nil {
			t.Error(v)
		}
		if failed := seen.of(observe.FeedFailed); len(failed) != 1 || !errors.Is(failed[0].Err, fs.ErrNotExist) || !strings.Contains(failed[0].Err.Error(), "put it there") ||
			!strings.Contains(failed[0].Err.Error(), fmt.Sprintf("the file of revocation.Config.File (its name, of %d bytes, is not shown since it led nowhere):", len(file))) || strings.Contains(failed[0].Err.Error(), file) {
			t.Errorf("told %v", failed)
		}
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, file, document(1))
		elapse(poll)
		if v := ask(l, good); v.Outcome() != revocation.Passes || l.Ready() != nil {
			t.Error(v)
		}
	})
}

// TestMountedConfigMap swaps a link, as kubelet does: the file is reached through
// ..data, which leads to a folder of the time of writing and is replaced as a whole.
func TestMountedConfigMap(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		publish := func(folder, text string) {
			if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, folder, "revoked.json"), text)
			date(t, filepath.Join(dir, folder, "revoked.json"), time.Unix(1e9, 0)) // the same for each
			if err := errors.Join(os.Symlink(folder, filepath.Join(dir, "..data_tmp")), os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data"))); err != nil {
				t.Fatal(err)
			}
		}
		file, seen := filepath.Join(dir, "revoked.json"), &events{}
		publish("..2026_11_01", document(1, entryOf("a")))
		if err := os.Symlink(filepath.Join("..data", "revoked.json"), file); err != nil {
			t.Fatal(err)
		}
		l := watched(t, file, "", seen, revocation.Config{})
		wantClients(t, l, "at first", map[string]bool{"a": true, "b": false})
		elapse(time.Minute)
		publish("..2026_11_02", document(2, entryOf("b")))
		if err := os.RemoveAll(filepath.Join(dir, "..2026_11_01")); err != nil {
			t.Fatal(err)
		}
		elapse(poll)
		wantClients(t, l, "after the swap", map[string]bool{"a": false, "b": true})
		if failed := seen.of(observe.FeedFailed); len(failed) > 0 {
			t.Errorf("told %v", failed)
		}
	})
}

// TestUnchangedFileIsNotRead, and counts as looked at.
func TestUnchangedFileIsNotRead(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		file, seen := filepath.Join(dir, "revoked.json"), &events{}
		l := watched(t, file, document(1, entryOf("a")), seen, revocation.Config{WhenStale: revocation.StaleRefuse})
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, document(2, entryOf("b")))
		date(t, file, info.ModTime())
		elapse(time.Hour)
		wantClients(t, l, "of the same time and size", map[string]bool{"a": true, "b": false})
		if s := l.Stats(); s.Stale || s.Age > poll {
			t.Errorf("%+v", s)
		}
		date(t, file, time.Now())
		elapse(poll)
		wantClients(t, l, "of another time", map[string]bool{"a": false, "b": true})
	})
}

// TestFileIsTheOnlyFeed, and nothing is looked at after Close.
func TestFileIsTheOnlyFeed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		file, seen := filepath.Join(dir, "revoked.json"), &events{}
		l := watched(t, file, document(1), seen, revocation.Config{PollInterval: time.Second})
		r, err := l.Record(revocation.Block(revocation.Client(example, "a")), 9)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Merge(r); err == nil || !strings.Contains(err.Error(), "Config.File") {
			t.Error(err)
		}
		_ = os.Remove(file)
		time.Sleep(time.Hour)
		l.Current(time.Now())
		if !l.Stats().Stale {
			t.Error("another feed speaks for the file")
		}
		l.Close()
		before := len(seen.all)
		write(t, file, document(2, entryOf("a")))
		elapse(time.Hour)
		if s := l.Stats(); s.Entries != 0 || len(seen.all) != before {
			t.Errorf("after Close: %+v", s)
		}
	})
}

// TestFileAgainstOracle replaces a file many times: after each, a list is of the
// oracle's opinion about what the file says, or, where the sequence did not rise, about
// all that it has said since it did.
func TestFileAgainstOracle(t *testing.T) {
	member := map[revocation.Kind]string{revocation.ByTokenID: "token_id", revocation.ByClient: "client", revocation.BySubject: "subject", revocation.ByKeyID: "key_id"}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		file, seen := filepath.Join(dir, "revoked.json"), &events{}
		c := &clock{begin}
		l := watched(t, file, document(1), seen, revocation.Config{Now: c.Now})
		r := rand.New(rand.NewPCG(5, 5))
		var held []told
		sequence, all := 1, tokens()
		for round := range 60 {
			var entries []string
			if r.IntN(3) > 0 {
				sequence++
				held = nil
			}
			for _, e := range world(r, r.IntN(8)) {
				if e.lift {
					continue
				}
				target, verb := `"all":true`, `"block":true`
				if name := member[e.kind]; name != "" {
					target = fmt.Sprintf("%q:%q", name, e.name)
				}
				if e.cutoff != revocation.Forever {
					verb = fmt.Sprintf(`"issued_before":%q`, time.Unix(int64(e.cutoff), 0).Format(time.RFC3339))
				}
				if e.expires > 0 {
					verb += fmt.Sprintf(`,"dangerously_expires":%q`, time.Unix(int64(e.expires), 0).Format(time.RFC3339))
				}
				entries, held = append(entries, fmt.Sprintf(`{"issuer":%q,%s,%s}`, e.issuer, target, verb)), append(held, e)
			}
			replace(t, file, document(int64(sequence), entries...))
			elapse(poll)
			c.now += uint32(r.IntN(4))
			for _, token := range all {
				if got, want := ask(l, token).Outcome() == revocation.Revoked, oracle(held, token, c.now); got != want {
					t.Fatalf("round %d: revoked is %v, wanted %v for %v\nafter %v", round, got, want, describe(token), held)
				}
			}
		}
		if s := l.Stats(); int(s.Sequence) != sequence || s.Lifts != 0 {
			t.Errorf("%+v, wanted sequence %d", s, sequence)
		}
	})
}
