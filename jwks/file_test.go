package jwks_test

import (
	"bytes"
	"crypto/elliptic"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

// write writes a file as of the bubble's time, or an hour ago in it.
func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	date(t, name, time.Now())
}

func date(t *testing.T, name string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(name, at, at); err != nil {
		t.Fatal(err)
	}
}

// maxStale is that of the key sets of watched.
const maxStale = 10 * time.Minute

// padded is a set of k in 400 bytes.
func padded(k key) []byte {
	text := set(k)
	return append(text, bytes.Repeat([]byte(" "), 400-len(text))...)
}

// watched is a key set of a file that holds k.
func watched(t *testing.T, name string, seen *events, k key) *jwks.KeySet {
	t.Helper()
	s, err := jwks.New(jwks.Config{File: name, MaxStale: maxStale, Observer: observe.Observer{Event: seen.add}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	wantKey(t, s, k)
	return s
}

func TestFile(t *testing.T) {
	const poll = 5 * time.Second
	old, fresh := ed("old"), ed("fresh")
	for name, step := range map[string]func(t *testing.T, name string, s *jwks.KeySet, seen *events){
		"written anew": func(t *testing.T, name string, s *jwks.KeySet, _ *events) {
			write(t, name, set(fresh))
		},
		"replaced": func(t *testing.T, name string, s *jwks.KeySet, _ *events) {
			write(t, name+".new", set(fresh))
			if err := os.Rename(name+".new", name); err != nil {
				t.Fatal(err)
			}
		},
		"replaced, of the same time and size": func(t *testing.T, name string, s *jwks.KeySet, _ *events) {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			write(t, name+".new", padded(fresh))
			date(t, name+".new", info.ModTime())
			if err := os.Rename(name+".new", name); err != nil {
				t.Fatal(err)
			}
		},
		"written anew within the same moment": func(t *testing.T, name string, s *jwks.KeySet, _ *events) {
			write(t, name, padded(old))
			wantNotFound(t, s, fresh) // has it read at once
			write(t, name, padded(fresh))
		},
		"gone, and there again": func(t *testing.T, name string, s *jwks.KeySet, seen *events) {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			elapse(time.Minute)
			wantKey(t, s, old)
			synctest.Wait()
			if failed := seen.of(observe.RefreshFailed); len(failed) != 1 || !errors.Is(failed[0].Err, fs.ErrNotExist) || !strings.Contains(failed[0].Err.Error(), fmt.Sprintf("the file %q", name)) {
				t.Errorf("told %v, wanted once that there is none", failed)
			}
			write(t, name, set(fresh))
		},
		"in PEM": func(t *testing.T, name string, s *jwks.KeySet, _ *events) {
			write(t, name, []byte(publicPEM(must(ed25519Public()))))
			elapse(poll)
			if keys, err := ask(s, jwks.Hint{KeyID: "any", HasKeyID: true}); err != nil || len(keys) != 1 || keys[0].ID() != "" {
				t.Errorf("got %v, %v, wanted the key of the PEM", keys, err)
			}
			write(t, name, set(fresh))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				file, seen := filepath.Join(dir, "jwks.json"), &events{}
				write(t, file, padded(old))
				date(t, file, time.Now().Add(-time.Hour))
				s := watched(t, file, seen, old)
				elapse(time.Minute)
				step(t, file, s, seen)
				elapse(poll)
				synctest.Wait()
				// A kid that is unknown would have the file read at once.
				if k := s.Stats().Keys; k == 0 {
					t.Error("there are no keys")
				}
				got, err := find(s, fresh)
				if err != nil || got == nil {
					t.Error(err)
				}
				changed := seen.of(observe.KeySetChanged)
				if last := changed[len(changed)-1]; len(last.Added) != 1 || last.Added[0] != "fresh" {
					t.Errorf("told %v", changed)
				}
			})
		})
	}
}

// TestFileIsPolled whether anybody uses its keys or not, and a rotated key is there
// without that a token asks for it.
func TestFileIsPolled(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		file, seen := filepath.Join(dir, "jwks.json"), &events{}
		old := ed("old")
		write(t, file, set(old))
		s := watched(t, file, seen, old)
		used := wantKey(t, s, old)
		elapse(20 * time.Minute)
		if !s.Usable(used) {
			t.Error("the keys of a file age unused")
		}
		write(t, file, set(ed("fresh")))
		elapse(5 * time.Second)
		synctest.Wait()
		if changed := seen.of(observe.KeySetChanged); len(changed) != 2 || s.Usable(used) {
			t.Errorf("after one poll: told %v", changed)
		}
		s.Close()
		write(t, file, set(ed("later")))
		elapse(time.Minute)
		if changed := seen.of(observe.KeySetChanged); len(changed) != 2 {
			t.Errorf("polled after Close: told %v", changed)
		}
	})
}

// TestUnchangedFileIsNotRead: its time, size and inode are looked at alone. What is
// written without a change of these is seen with the next one.
func TestUnchangedFileIsNotRead(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		file, seen := filepath.Join(dir, "jwks.json"), &events{}
		old := ed("old")
		write(t, file, set(old))
		before := time.Now().Add(-time.Hour)
		date(t, file, before)
		s := watched(t, file, seen, old)
		elapse(time.Minute)
		secret := set(ed("new")) // as long
		write(t, file, secret)
		date(t, file, before)
		elapse(time.Minute)
		wantKey(t, s, old)
		date(t, file, time.Now())
		elapse(5 * time.Second)
		wantKey(t, s, ed("new").with("x", nil))
	})
}

// TestMountedSecret swaps a link, as kubelet does: the file is reached through
// ..data, which leads to a folder of the time of writing and is replaced as a whole.
func TestMountedSecret(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		publish := func(folder string, k key) {
			if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, folder, "jwks.json"), set(k))
			date(t, filepath.Join(dir, folder, "jwks.json"), time.Unix(1e9, 0)) // the same for each
			if err := errors.Join(os.Symlink(folder, filepath.Join(dir, "..data_tmp")), os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data"))); err != nil {
				t.Fatal(err)
			}
		}
		file, seen := filepath.Join(dir, "jwks.json"), &events{}
		first, second := ed("1"), ed("2")
		publish("..2026_11_01", first)
		if err := os.Symlink(filepath.Join("..data", "jwks.json"), file); err != nil {
			t.Fatal(err)
		}
		s := watched(t, file, seen, first)
		got := wantKey(t, s, first)
		elapse(time.Minute)
		publish("..2026_11_02", second)
		if err := os.RemoveAll(filepath.Join(dir, "..2026_11_01")); err != nil {
			t.Fatal(err)
		}
		elapse(5 * time.Second)
		synctest.Wait()
		if changed := seen.of(observe.KeySetChanged); len(changed) != 2 || changed[1].Added[0] != "2" || s.Usable(got) {
			t.Errorf("told %v", changed)
		}
		wantKey(t, s, second)
	})
}

// TestBadFileNeverReplacesGoodKeys: it is told once, and mended within one poll.
func TestBadFileNeverReplacesGoodKeys(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, name string)
		want  string
	}{
		"empty":          {func(t *testing.T, name string) { write(t, name, nil) }, "not a strict JSON object"},
		"half":           {func(t *testing.T, name string) { write(t, name, set(ed("half"))[:40]) }, "breaks off"},
		"HTML":           {func(t *testing.T, name string) { write(t, name, []byte("<html>")) }, "not a strict JSON object"},
		"no usable key":  {func(t *testing.T, name string) { write(t, name, set(ed("private").with("d", "AAAA"))) }, "must be taken for stolen"},
		"a private key":  {func(t *testing.T, name string) { write(t, name, []byte(inPEM("PRIVATE KEY", []byte("secret")))) }, "must be taken for stolen"},
		"broken PEM":     {func(t *testing.T, name string) { write(t, name, []byte(publicPEM(authority.Public())[:80])) }, "PEM block that cannot be read"},
		"too large":      {func(t *testing.T, name string) { write(t, name, make([]byte, 1<<20+1)) }, "over the limit of 1048576 bytes"},
		"a folder":       {func(t *testing.T, name string) { _, _ = os.Remove(name), os.Mkdir(name, 0o700) }, "not a regular file"},
		"a link to none": {func(t *testing.T, name string) { _, _ = os.Remove(name), os.Symlink("nowhere", name) }, "no such file"},
		"gone":           {func(t *testing.T, name string) { _ = os.Remove(name) }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				file, seen := filepath.Join(dir, "keys"), &events{}
				good, fresh := ec("good", elliptic.P256()), ec("fresh", elliptic.P256())
				write(t, file, set(good))
				s := watched(t, file, seen, good)
				got := wantKey(t, s, good)
				elapse(time.Minute)
				c.spoil(t, file)
				elapse(5 * time.Minute)
				if !s.Usable(got) || wantKey(t, s, good) != got {
					t.Error("the good key is gone")
				}
				failed := seen.of(observe.RefreshFailed)
				if len(failed) != 1 || !strings.Contains(failed[0].Err.Error(), c.want) || !strings.Contains(failed[0].Err.Error(), file) || strings.Contains(failed[0].Err.Error(), "secret") {
					t.Errorf("told %v, wanted once %q", failed, c.want)
				}
				if n := len(seen.of(observe.StaleKeysInUse)); n != 1 {
					t.Errorf("%d StaleKeysInUse, wanted 1", n)
				}
				if err := os.RemoveAll(file); err != nil {
					t.Fatal(err)
				}
				write(t, file, set(fresh))
				elapse(5 * time.Second)
				synctest.Wait()
				if s.Usable(got) {
					t.Error("a mended file is not noticed within a poll")
				}
				wantKey(t, s, fresh)
				// Past MaxStale, nothing serves.
				c.spoil(t, file)
				elapse(maxStale)
				synctest.Wait()
				if n := len(seen.of(observe.KeysExpired)); n != 1 {
					t.Errorf("%d KeysExpired, wanted 1", n)
				}
				if _, err := find(s, fresh); !errors.Is(err, jwks.ErrUnavailable) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("after MaxStale: %v", err)
				}
			})
		})
	}
}

// TestFileThatIsNotThereYet: 503 until it is. What may be a secret in the place of a path
// is told to nobody, and a path that leads somewhere, if only to a folder, is.
func TestFileThatIsNotThereYet(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		folder, seen := filepath.Join(dir, "keys"), &events{}
		file := filepath.Join(folder, "jwks.json")
		s, err := jwks.New(jwks.Config{File: file, Observer: observe.Observer{Event: seen.add}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		k := ed("k")
		if u := wantUnavailable(t, s, k); !errors.Is(u, fs.ErrNotExist) {
			t.Error(u)
		}
		want := fmt.Sprintf("key set in the file of jwks.Config.File (its name, of %d bytes, is not shown since it led nowhere): no such file", len(file))
		if told := seen.of(observe.RefreshFailed); len(told) != 1 || told[0].URL != "" || !strings.Contains(told[0].Err.Error(), want) || strings.Contains(told[0].Err.Error(), file) {
			t.Errorf("told %v, wanted %s", told, want)
		}
		for n, why := range []string{"no such file", "it is not a regular file"} {
			if err := os.Mkdir([]string{folder, file}[n], 0o700); err != nil {
				t.Fatal(err)
			}
			elapse(5 * time.Second)
			wantUnavailable(t, s, k)
			if told := seen.of(observe.RefreshFailed); len(told) != n+2 || !strings.HasSuffix(told[n+1].URL, file) || !strings.Contains(told[n+1].Err.Error(), fmt.Sprintf("%q: %s", file, why)) {
				t.Errorf("told %v", told)
			}
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		write(t, file, set(k))
		elapse(5 * time.Second)
		wantKey(t, s, k)
	})
}

// TestKnobsOfAFile: how often, and how large.
func TestKnobsOfAFile(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		file, seen := filepath.Join(dir, "jwks.json"), &events{}
		k := ed("k")
		write(t, file, set(k))
		s, err := jwks.New(jwks.Config{File: file, RefreshInterval: time.Minute, MaxResponseBytes: int64(len(set(k))), Observer: observe.Observer{Event: seen.add}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		wantKey(t, s, k)
		write(t, file, append(set(k), ' '))
		elapse(50 * time.Second) // a poll comes 51 to 57 seconds after the last
		if n := len(seen.of(observe.RefreshFailed)); n != 0 {
			t.Errorf("looked at after less than RefreshInterval")
		}
		elapse(10 * time.Second)
		synctest.Wait()
		if failed := seen.of(observe.RefreshFailed); len(failed) != 1 || !strings.Contains(failed[0].Err.Error(), "over the limit of") {
			t.Errorf("told %v", failed)
		}
	})
}
