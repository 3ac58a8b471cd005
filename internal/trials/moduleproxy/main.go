// Command moduleproxy uses this repository as strangers will once it is published: it
// makes a module proxy of the checkout, in files, with each module of it at v0.1.0, and
// then installs every program, builds a module that imports every package, and does in
// a new module what each page says about go get. So a replace in a go.mod, a requirement
// that is missing, a file that is not in its module, or a command that is not enough is
// noticed here and not by users (golang/go#44840).
//
//	go run ./internal/trials/moduleproxy
//
// Modules of others come from the machine's module cache, or by the GOPROXY that is
// set. Nothing is written to that cache.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
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
	var importable []string
	for _, m := range modules {
		packages, err := user.use(ctx, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		importable = append(importable, packages...)
	}
	pages, err := readPages(root)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(pages, func(p page) bool { return p.name == "README.md" })
	if at < 0 {
		return errors.New("README.md does not say what to get")
	}
	for _, p := range pages {
		if err := user.follow(ctx, p, pages[at], byName(importable)); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}
