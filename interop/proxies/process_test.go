//go:build interop

package proxies_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"
)

const (
	// life ends a proxy that hangs.
	life = 10 * time.Minute
	// patience is how long it may take to start, and an answer of it.
	patience = 2 * time.Minute
)

// host is what clients call the proxies.
const host = "api.example.com"

// run starts the proxy before fronts, which get their addresses, and ends it with
// the test.
func (p *product) run(t *testing.T, fronts []*front, server tls.Certificate) {
	t.Helper()
	prog, err := find(p.program)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	listenAnywhere(t, fronts)
	p.configure(t, folder, prog, fronts, server)

	ctx, kill := context.WithTimeout(context.Background(), life)
	var printed bytes.Buffer // to be read once it has ended
	cmd := exec.CommandContext(ctx, prog.path, p.args(folder)...)
	cmd.Env = append(prog.env, "HOME="+folder, "XDG_CONFIG_HOME="+folder, "XDG_DATA_HOME="+folder)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, &printed, &printed
	if err := cmd.Start(); err != nil {
		kill()
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
			t.Errorf("%s had to be killed", p.name)
		}
		kill()
		<-ended
		_ = watcher.Process.Kill()
		_ = watcher.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s, %s:\n%s", p.name, cmd.ProcessState, &printed)
		}
	})
	for _, f := range fronts {
		await(t, p, f.Listen, ended)
	}
	ask := exec.Command(prog.path, p.version)
	ask.Env = prog.env
	which, err := ask.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(which), "\n")
	t.Log(p.name, "runs:", first)
}

// configure writes the configuration and what it names.
func (p *product) configure(t *testing.T, folder string, prog program, fronts []*front, server tls.Certificate) {
	t.Helper()
	var config bytes.Buffer
	err := template.Must(template.New(p.name).Parse(p.config)).Execute(&config, settings{
		Folder: folder, Root: os.Getuid() == 0, Fronts: fronts,
		Modules: filepath.Join(filepath.Dir(prog.path), "../lib/apache2/modules"),
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	for name, text := range map[string]string{
		"config": config.String(), "server.crt": inPEM(server.Certificate[0]), "server.key": keyPEM,
		"server.pem": inPEM(server.Certificate[0]) + keyPEM,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// watch starts what ends a proxy if this process ends without doing so, as at the
// time limit of go test: it waits for the end of its input.
func watch(t *testing.T, proxy *os.Process) *exec.Cmd {
	t.Helper()
	watcher := exec.Command("sh", "-c", `read -r _; kill "$0"`, strconv.Itoa(proxy.Pid))
	if _, err := watcher.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := watcher.Start(); err != nil {
		t.Fatal(err)
	}
	return watcher
}

// await connects until the proxy listens.
func await(t *testing.T, p *product, address string, ended <-chan struct{}) {
	t.Helper()
	const pause = 20 * time.Millisecond
	deadline := time.Now().Add(patience)
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended before it listened", p.name)
		case <-time.After(pause):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen after %v: %v", p.name, patience, err)
		}
	}
}

// listenAnywhere gives each front an address of the loopback interface that nobody
// listens on.
func listenAnywhere(t *testing.T, fronts []*front) {
	t.Helper()
	for _, f := range fronts {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close() // all at the end, or two might get the same
		f.Listen = listener.Addr().String()
	}
}

// serverCertificate makes the proxies' own, and what trusts it.
func serverCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots
}
