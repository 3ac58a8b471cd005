// Command moduleproxy uses this repository as strangers will once it is published: it
// makes a module proxy of the checkout, in files, with each module of it at v0.1.0, and
// then installs every program and builds a module that imports every package. So a
// replace in a go.mod, a requirement that is missing, or a file that is not in its
// module is noticed here and not by users (golang/go#44840).
//
//	go run ./internal/trials/moduleproxy
//
// Modules of others come from the machine's module cache, or by the GOPROXY that is
// set. Nothing is written to that cache.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// version is what each module of the repository is published as here.
const version = "v0.1.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "moduleproxy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	out, err := output(ctx, ".", nil, "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return err
	}
	root := strings.TrimSpace(out)
	scratch, err := os.MkdirTemp("", "moduleproxy")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	modules, err := find(root)
	if err != nil {
		return err
	}
	proxy := filepath.Join(scratch, "proxy")
	for _, m := range modules {
		if err := m.publish(proxy, time.Now()); err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
	}
	user, err := newUser(ctx, scratch, proxy)
	if err != nil {
		return err
	}
	for _, m := range modules {
		if err := user.use(ctx, m); err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
	}
	return nil
}
