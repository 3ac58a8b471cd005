package main

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/examples/quickstart/internal/quickstart"
)

// A first look downloads and compiles no more than a small API on net/http would.
func TestModules(t *testing.T) {
	const api = "../nethttp"
	if got, want := linked(t, modules, "."), linked(t, modules, api); !slices.Equal(got, want) {
		t.Errorf("the quickstart links %q, %s %q", got, api, want)
	}
	if slices.Contains(linked(t, packages, "."), "testing") {
		t.Error("the quickstart links package testing, for which a first build takes longer")
	}
	if all := linked(t, modules, "./all"); !slices.Contains(all, "github.com/gin-gonic/gin") {
		t.Errorf("./all links %q", all)
	}
}

// What linked lists, as templates of go list.
const (
	modules  = "{{with .Module}}{{.Path}}{{end}}"
	packages = "{{.ImportPath}}"
)

// linked are the modules, or the packages, that a program links.
func linked(t *testing.T, what, dir string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", what, dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(out))
	slices.Sort(names)
	return slices.Compact(names)
}

// -h says what there is. What a run shows is tested where it is written.
func TestUsage(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := quickstart.Run(t.Context(), []string{"-h"}, &stdout, &stderr, quickstart.NetHTTP); code != 0 || !strings.Contains(stderr.String(), "-serve") {
		t.Errorf("exit code %d, and said %s%s", code, &stdout, &stderr)
	}
}
