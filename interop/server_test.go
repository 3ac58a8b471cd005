//go:build interop

package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// serverLife ends a server that a test forgot, or that hangs. The shared one
	// lives as long as all tests take.
	serverLife = 30 * time.Minute
	// replyTime is how long a server may take for an answer, its start included.
	replyTime = 2 * time.Minute
)

// options is what server/server.mjs is started with. What is empty gets a
// default.
type options struct {
	// Path is the path of the issuer identifier.
	Path string `json:"path,omitzero"`
	// Metadata names the well-known documents that there are.
	Metadata []string `json:"metadata,omitzero"`
	// PlainAnswers takes RFC 9701 away.
	PlainAnswers bool `json:"plainAnswers,omitzero"`
	// Nonces has it ask DPoP proofs for a nonce (RFC 9449 §8).
	Nonces bool `json:"nonces,omitzero"`
	// TLS makes it an https server that asks for client certificates.
	TLS *tlsOptions `json:"tls,omitzero"`
}

// tlsOptions are PEM texts; CA is the issuer of client certificates.
type tlsOptions struct {
	Key  string `json:"key"`
	Cert string `json:"cert"`
	CA   string `json:"ca"`
}

// credentials is what the server is told about its clients.
type credentials struct {
	Secret     string           `json:"secret"`
	PublicKeys []jsontext.Value `json:"publicKeys"` // of the client "assertion", as JWKs
	SelfSigned string           `json:"selfSigned"` // certificate of the client "self-signed", as PEM
}

// server is a running authorization server.
type server struct {
	issuer string
	*program
}

// program is a running program that answers each line of its input with one.
type program struct {
	cmd    *exec.Cmd
	kill   context.CancelFunc
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer // to be read after cmd.Wait
}

// startServer starts a process of server/server.mjs and waits until it listens.
func startServer(o options) (*server, error) {
	if _, err := os.Stat("node_modules/oidc-provider"); err != nil {
		return nil, errors.New("interop: the authorization server is not installed: run `npm ci` in interop/")
	}
	return start(struct {
		options     `json:",inline"`
		credentials `json:",inline"`
	}{o, credentials{secret, assertionKeys.public(), selfSigned.certificatePEM()}}, "node", "server/server.mjs")
}

// start starts a program that answers the first line of its input with its issuer
// identifier.
func start(first any, name string, args ...string) (*server, error) {
	var ready struct {
		Issuer string `json:"issuer"`
	}
	p, err := startProgram(first, &ready, name, args...)
	if err != nil {
		return nil, fmt.Errorf("interop: the authorization server did not start: %w", err)
	}
	return &server{ready.Issuer, p}, nil
}

// startProgram starts a program and reads its answer to the first line of its input.
func startProgram(first, ready any, name string, args ...string) (*program, error) {
	ctx, kill := context.WithTimeout(context.Background(), serverLife)
	p := &program{cmd: exec.CommandContext(ctx, name, args...), kill: kill}
	if err := p.start(first, ready); err != nil {
		kill()
		return nil, err
	}
	return p, nil
}

func (p *program) start(first, ready any) error {
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	p.stdout, p.cmd.Stderr = bufio.NewReader(stdout), &p.stderr
	if err := p.cmd.Start(); err != nil {
		return err
	}
	if err := p.exchange(first, ready); err != nil {
		return errors.Join(err, p.stop())
	}
	return nil
}

// exchange sends a line and reads the answer.
func (p *program) exchange(in, out any) error {
	defer time.AfterFunc(replyTime, p.kill).Stop()
	line, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		return err
	}
	reply, err := p.stdout.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	return json.Unmarshal(reply, out)
}

// stop ends the process, which goes when its input ends, and waits for it.
func (p *program) stop() error {
	defer p.kill()
	defer time.AfterFunc(replyTime, p.kill).Stop()
	closeErr := p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("interop: %s ended with %w: %s", filepath.Base(p.cmd.Path), errors.Join(err, closeErr), &p.stderr)
	}
	return nil
}

// ownServer is a server for one test.
func ownServer(t *testing.T, o options) *server {
	t.Helper()
	s, err := startServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// command is one of server/server.mjs's.
type command struct {
	Command string `json:"command"`
	KeyID   string `json:"kid,omitzero"`
	KeepOld bool   `json:"keepOld,omitzero"`
}

func (s *server) do(t *testing.T, c command) {
	t.Helper()
	if err := s.exchange(c, new(struct{})); err != nil {
		t.Fatalf("%s: %v", c.Command, err)
	}
}
