//go:build unix

package jwks_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/m2mguard/m2mguard/jwks"
)

// TestPipeIsNoKeySet: opening one would wait for whoever writes to it.
func TestPipeIsNoKeySet(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := jwks.New(jwks.Config{File: name})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if u := wantUnavailable(t, s, ed("k")); !strings.Contains(u.Error(), "it is not a regular file") {
		t.Error(u)
	}
}
