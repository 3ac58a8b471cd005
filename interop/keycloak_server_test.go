//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

const (
	// keycloakLife ends a Keycloak that hangs.
	keycloakLife = 20 * time.Minute
	// keycloakStart is how long it may take to start. It takes some 20 seconds of
	// a core, which is minutes on a machine that does much else.
	keycloakStart = 8 * time.Minute
	// keycloakReply is how long an answer of it may take.
	keycloakReply = time.Minute
	// keycloakStop is how long it may take to stop by itself.
	keycloakStop = time.Minute
)

// keycloak is a Keycloak with the realm of keycloak/realm.json. It can be stopped
// and started again, on the same port and database.
type keycloak struct {
	base string // its URL, without a slash at the end
	port string
	home string // its folder: files of others, data of its own

	secureBase, securePort string // the same by https, where it asks for client certificates

	cmd     *exec.Cmd
	kill    context.CancelFunc
	watcher *exec.Cmd
	ended   chan struct{} // closed when the process has ended
	log     bytes.Buffer  // to be read once it has
}

// startedKeycloak is what the run has to end.
var startedKeycloak *keycloak

// sharedKeycloak starts the Keycloak of all tests of it at the first call.
var sharedKeycloak = sync.OnceValues(func() (*keycloak, error) {
	k, err := newKeycloak()
	if err == nil {
		if err = k.start(); err != nil {
			err = errors.Join(err, os.RemoveAll(k.home))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("interop: Keycloak did not start: %w", err)
	}
	startedKeycloak = k
	return k, nil
})

// aKeycloak is the running one. A test leaves it as it found it, but for its keys.
func aKeycloak(t *testing.T) *keycloak {
	t.Helper()
	k, err := sharedKeycloak()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newKeycloak makes a home for one. Programs and settings are links into the
// folder that all runs share.
func newKeycloak() (*keycloak, error) {
	files, err := keycloakFolder()
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "keycloak-")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"lib", "providers", "themes", "conf"} {
		if err := os.Symlink(filepath.Join(files, name), filepath.Join(home, name)); err != nil {
			return nil, err
		}
	}
	imported, err := os.ReadFile("keycloak/realm.json")
	if err != nil {
		return nil, err
	}
	imports := filepath.Join(home, "data", "import")
	if err := os.MkdirAll(imports, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(imports, "realm.json"), imported, 0o600); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{
		"server.pem": serverCertificate.certificatePEM(), "server.key": serverCertificate.keyPEM(), "clients.pem": authority.certificatePEM(),
	} {
		if err := os.WriteFile(filepath.Join(home, "data", name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	var ports [2]string
	for n := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		if _, ports[n], err = net.SplitHostPort(listener.Addr().String()); err != nil {
			return nil, err
		}
	}
	return &keycloak{
		base: "http://127.0.0.1:" + ports[0], port: ports[0], home: home,
		secureBase: "https://127.0.0.1:" + ports[1], securePort: ports[1],
	}, nil
}

// start starts the process and waits until the realm answers.
func (k *keycloak) start() error {
	ctx, kill := context.WithTimeout(context.Background(), keycloakLife)
	k.kill, k.ended = kill, make(chan struct{})
	k.log.Reset()
	k.cmd = keycloakCommand(ctx, k.home, "start", "--optimized", "--import-realm", "--cache=local", "--hostname-strict=false",
		"--http-enabled=true", "--http-host=127.0.0.1", "--http-port="+k.port,
		"--https-port="+k.securePort, "--https-certificate-file="+filepath.Join(k.home, "data", "server.pem"),
		"--https-certificate-key-file="+filepath.Join(k.home, "data", "server.key"),
		"--truststore-paths="+filepath.Join(k.home, "data", "clients.pem"))
	k.cmd.Env = append(os.Environ(), "KC_BOOTSTRAP_ADMIN_CLIENT_ID=admin", "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET="+secret)
	k.cmd.Stdout, k.cmd.Stderr = &k.log, &k.log
	if err := k.cmd.Start(); err != nil {
		kill()
		return err
	}
	go func() {
		_ = k.cmd.Wait() // how it ended is in ProcessState
		close(k.ended)
	}()
	if err := k.watch(); err != nil {
		return errors.Join(err, k.stop())
	}
	if err := k.await(); err != nil {
		return errors.Join(err, k.stop(), errors.New(k.log.String()))
	}
	return nil
}

// watch starts what ends Keycloak if this process ends without stop, as at the
// time limit of go test: it waits for the end of its input.
func (k *keycloak) watch() error {
	k.watcher = exec.Command("sh", "-c", `read -r _; kill "$0"`, strconv.Itoa(k.cmd.Process.Pid))
	if _, err := k.watcher.StdinPipe(); err != nil {
		return err
	}
	return k.watcher.Start()
}

// await asks for the realm's metadata until there is some.
func (k *keycloak) await() error {
	const pause = 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), keycloakStart)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.issuer()+"/.well-known/openid-configuration", nil)
		if err != nil {
			return err
		}
		if res, err := browser.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-k.ended:
			return fmt.Errorf("it ended: %s", k.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("no metadata of the realm after %v", keycloakStart)
		case <-time.After(pause):
		}
	}
}

// stop ends the process and waits for it.
func (k *keycloak) stop() error {
	defer k.kill()
	browser.CloseIdleConnections()
	err := k.cmd.Process.Signal(os.Interrupt)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	select {
	case <-k.ended:
	case <-time.After(keycloakStop):
		k.kill()
		<-k.ended
		err = errors.Join(err, fmt.Errorf("interop: Keycloak had to be killed after %v", keycloakStop))
	}
	if k.watcher != nil && k.watcher.Process != nil {
		_ = k.watcher.Process.Kill()
		_ = k.watcher.Wait() // it was killed
	}
	return err
}

// remove ends it for good.
func (k *keycloak) remove() error { return errors.Join(k.stop(), os.RemoveAll(k.home)) }

// realm is the name of the realm, and issuer the identifier that Keycloak makes of
// it.
const realm = "Ada's shop"

func (k *keycloak) issuer() string { return k.base + "/realms/Ada's%20shop" }

// secureIssuer is what tokens name that were got by https.
func (k *keycloak) secureIssuer() string { return k.secureBase + "/realms/Ada's%20shop" }
