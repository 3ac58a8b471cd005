//go:build interop

package interop_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/m2mguard/m2mguard/interop/internal/install"
)

// startedSpring is what the run has to end.
var startedSpring *server

// sharedSpring starts the Spring Authorization Server of all tests of it at the
// first call.
var sharedSpring = sync.OnceValues(func() (*server, error) {
	jar, err := springJar()
	if err != nil {
		return nil, err
	}
	startedSpring, err = start(struct{}{}, java(), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dsecret="+secret, "-jar", jar)
	return startedSpring, err
})

func aSpring(t *testing.T) *server {
	t.Helper()
	s, err := sharedSpring()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// springJar returns the program of the folder spring, built by Maven at the first
// run since it was changed.
func springJar() (string, error) {
	source := os.DirFS("spring")
	hash := sha256.New()
	err := fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name == "target": // of Maven, run by hand
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		text, err := fs.ReadFile(source, name)
		hash.Write([]byte(name + "\x00" + string(text) + "\x00"))
		return err
	})
	if err != nil {
		return "", err
	}
	name := "spring-" + hex.EncodeToString(hash.Sum(nil))[:12] + ".jar"
	return install.Once(name, func(ctx context.Context, scratch string) (string, error) {
		if err := os.CopyFS(scratch, source); err != nil {
			return "", err
		}
		return filepath.Join(scratch, "target", "server.jar"), maven(ctx, scratch, "package")
	})
}
