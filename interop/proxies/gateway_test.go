//go:build interop

package proxies_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// gated is a proxy as docs/gateway.md has it configured, before an API of ours and beside
// m2mguard serve.
type gated struct {
	name, program, version string
	language               string // of its block in the page
	args                   func(folder string) []string
	// around is what a whole configuration has beside the block, with %s for that.
	around string
	lua    bool
	// play is for a proxy that Debian has not: what its documentation says that it does,
	// before an API and beside a gate, and where operators look at that.
	play func(api, gate, admin string) http.Handler

	pinned bool   // the gate has one processor
	secret string // what the script shows
	admin  string // where operators look at the gate, once it was started
}

var gates = []*gated{
	{
		name: "nginx", program: "nginx", version: "-v", language: "nginx",
		args: func(folder string) []string {
			return []string{"-e", "stderr", "-p", folder, "-c", filepath.Join(folder, "config")}
		},
		around: `daemon off;
master_process off;
pid FOLDER/pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path FOLDER/body;
	proxy_temp_path FOLDER/proxy;
	fastcgi_temp_path FOLDER/fastcgi;
	uwsgi_temp_path FOLDER/uwsgi;
	scgi_temp_path FOLDER/scgi;
%s
}`,
	},
	{name: "caddy", program: "caddy", version: "version", language: "caddyfile", args: caddyArgs, around: "{\n\tadmin off\n}\n%s"},
	{name: "haproxy", program: "haproxy", version: "-v", language: "haproxy", args: haproxyArgs, around: "%s", lua: true},
	{
		name: "apache", program: "apache2", version: "-v", language: "apache", lua: true,
		args: func(folder string) []string {
			return []string{"-D", "FOREGROUND", "-f", filepath.Join(folder, "config")}
		},
		around: `ServerRoot FOLDER
ServerName api.example.com
PidFile FOLDER/pid
DefaultRuntimeDir FOLDER
ErrorLog /dev/stderr
USER
LoadModule mpm_event_module MODULES/mod_mpm_event.so
LoadModule authz_core_module MODULES/mod_authz_core.so
LoadModule headers_module MODULES/mod_headers.so
LoadModule lua_module MODULES/mod_lua.so
LoadModule proxy_module MODULES/mod_proxy.so
LoadModule proxy_http_module MODULES/mod_proxy_http.so
LuaPackagePath FOLDER/lua/?.lua
LuaPackageCPath FOLDER/lua/5.3/?.so
StartServers 1
ThreadsPerChild 16
MaxRequestWorkers 16
Listen LISTEN
%s`,
	},
	{name: "traefik", play: traefik},
	{name: "envoy", play: envoy},
}

// reached is what the API behind saw of a request.
type reached struct {
	Method, Target string
	Header         http.Header
}

// stand is an API behind a proxy and a gate.
type stand struct {
	address string // the proxy's
	iss     *issuertest.Issuer

	mu   sync.Mutex
	last []reached
}

// take returns what reached the API since it was last asked.
func (s *stand) take() []reached {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.last
	s.last = nil
	return last
}

// gateProgram is m2mguard, built once.
var gateProgram = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "m2mguard")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "m2mguard")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir, cmd.Env = "../../cmd/m2mguard", append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, text)
	}
	return path, nil
})

// erect starts all three. identity is what the gate's file has for it.
func (p *gated) erect(t *testing.T, identity string) *stand {
	t.Helper()
	iss := issuertest.New(t)
	return p.raise(t, iss, p.file(iss, identity))
}

// raise starts all three, the gate with this file.
func (p *gated) raise(t *testing.T, iss *issuertest.Issuer, file string) *stand {
	t.Helper()
	s := &stand{iss: iss}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.last = append(s.last, reached{r.Method, r.RequestURI, r.Header.Clone()})
		s.mu.Unlock()
		if r.URL.Path == "/orders/forbidden" {
			w.WriteHeader(http.StatusForbidden) // its own word
		}
		_, _ = io.WriteString(w, "the API")
	}))
	t.Cleanup(api.Close)
	gate := p.serve(t, file)
	if p.play != nil {
		proxy := httptest.NewServer(p.play(strings.TrimPrefix(api.URL, "http://"), gate, p.admin))
		t.Cleanup(proxy.Close)
		s.address = strings.TrimPrefix(proxy.URL, "http://")
		return s
	}
	p.start(t, s, strings.TrimPrefix(api.URL, "http://"), gate)
	return s
}

// file is the gate's, with rules of each kind.
func (p *gated) file(iss *issuertest.Issuer, identity string) string {
	return fmt.Sprintf(`
issuers: [{url: %q, audience: [%q]}]
dpop: {}
api: {publicURL: ["https://api.example.com"]}
serve:
  proxy: %s
  from: [127.0.0.1/32]
  identity: %s
  routes:
    GET /orders/{path...}: {scopes: ["orders:read"]}
    POST /orders: {scopes: ["orders:write"]}
    GET /admin/{path...}: {scopes: [admin]}
    GET /public/{path...}: {public: true}
    GET /report: {scopes: [admin], dangerouslyReportOnly: true}
`, iss.URL(), issuertest.Audience, p.inFile(), identity)
}

// inFile is the proxy as the gate's file has it.
func (p *gated) inFile() string {
	if p.name == "envoy" {
		return "envoy\n  prefix: /auth"
	}
	return p.name
}

// serve starts m2mguard serve with a file, but for where it listens, and returns where the
// proxy asks.
func (p *gated) serve(t *testing.T, text string) string {
	t.Helper()
	program, err := gateProgram()
	if err != nil {
		t.Fatal(err)
	}
	listen, admin := freeAddress(t), freeAddress(t)
	file := filepath.Join(t.TempDir(), "m2mguard.yaml")
	text = strings.Replace(text, "\nserve:\n", fmt.Sprintf("\nserve:\n  listen: %s\n  admin: %s\n", listen, admin), 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", "--config", file)
	if p.pinned {
		cmd = exec.Command("taskset", "-c", "0", program, "serve", "--config", file)
		cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	}
	launch(t, "m2mguard serve", cmd, listen)
	p.admin = admin
	return listen
}

// freeAddress is one of the loopback interface that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// launch runs a program until the test ends, once it listens.
func launch(t *testing.T, name string, cmd *exec.Cmd, address string) {
	t.Helper()
	var printed bytes.Buffer // to be read once it has ended
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(ended)
	}()
	watcher := watch(t, cmd.Process)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
			t.Errorf("%s had to be killed", name)
		}
		_ = watcher.Process.Kill()
		_ = watcher.Wait() // it was killed
		if t.Failed() {
			const most = 6000
			text := printed.String()
			t.Logf("%s, %s:\n%s", name, cmd.ProcessState, text[max(0, len(text)-most):])
		}
	})
	await(t, &product{name: name}, address, ended)
}

// start starts the proxy, by the block of the page with the addresses of here.
func (p *gated) start(t *testing.T, s *stand, api, gate string) {
	t.Helper()
	prog, err := find(p.program)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", p.name) // t's own may be entered by this user alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	s.address = freeAddress(t)
	admin := p.admin
	if admin == "" {
		admin = freeAddress(t) // of a gate that is away
	}
	port := s.address[strings.LastIndexByte(s.address, ':')+1:]
	here := strings.NewReplacer(
		"127.0.0.1:8080", api, "127.0.0.1:4180", gate, "127.0.0.1:4181", admin, // as the page has them
		"listen 80;", "listen "+s.address+";", "http://api.example.com:80", "http://api.example.com:"+port+", http://127.0.0.1:"+port,
		"bind :80", "bind "+s.address, "*:80", s.address,
		`local secret = ""`, `local secret = "`+p.secret+`"`,
		"/etc/haproxy/", folder+"/", "/etc/apache2/", folder+"/",
	)
	user := ""
	if os.Getuid() == 0 {
		user = "User nobody\nGroup nogroup"
		if err := os.Chmod(folder, 0o755); err != nil { // Apache's workers read its script
			t.Fatal(err)
		}
	}
	root := filepath.Join(filepath.Dir(prog.path), "..")
	shape := strings.NewReplacer("FOLDER", folder, "USER", user, "MODULES", filepath.Join(root, "lib/apache2/modules"), "LISTEN", s.address).Replace(p.around)
	if p.name == "apache" { // whose workers may not read what this user has unpacked
		from := []string{filepath.Join(root, "share/lua/5.3")}
		compiled, err := filepath.Glob(filepath.Join(root, "lib/*-linux-gnu*/lua/5.3"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range append(from, compiled...) {
			if text, err := exec.Command("cp", "-rL", f, filepath.Join(folder, "lua")).CombinedOutput(); err != nil {
				t.Fatalf("cp: %v\n%s", err, text)
			}
			from = nil
		}
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("config", fmt.Sprintf(shape, here.Replace(block(t, p.language)))+"\n")
	if p.lua {
		script, err := os.ReadFile(filepath.Join("../../docs/gateway", p.name+".lua"))
		if err != nil {
			t.Fatal(err)
		}
		write(p.name+".lua", here.Replace(string(script)))
	}
	ctx, kill := context.WithTimeout(context.Background(), life)
	t.Cleanup(kill)
	cmd := exec.CommandContext(ctx, prog.path, p.args(folder)...)
	cmd.Env = append(prog.env, "HOME="+folder, "XDG_CONFIG_HOME="+folder, "XDG_DATA_HOME="+folder)
	cmd.Dir = folder
	launch(t, p.name, cmd, s.address)
}

// ask sends a request to the proxy.
func (s *stand) ask(t *testing.T, method, target string, header http.Header) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+s.address+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response
}
