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
func start(first any, program string, args ...string) (*server, error) {
	ctx, kill := context.WithTimeout(context.Background(), serverLife)
	s := &server{cmd: exec.CommandContext(ctx, program, args...), kill: kill}
	if err := s.start(first); err != nil {
		kill()
		return nil, fmt.Errorf("interop: the authorization server did not start: %w", err)
	}
	return s, nil
}

func (s *server) start(first any) error {
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	s.stdout, s.cmd.Stderr = bufio.NewReader(stdout), &s.stderr
	if err := s.cmd.Start(); err != nil {
		return err
	}
	var ready struct {
		Issuer string `json:"issuer"`
	}
	if err := s.exchange(first, &ready); err != nil {
		return errors.Join(err, s.stop())
	}
	s.issuer = ready.Issuer
	return nil
}

// exchange sends a line and reads the answer.
func (s *server) exchange(in, out any) error {
	defer time.AfterFunc(replyTime, s.kill).Stop()
	line, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if _, err := s.stdin.Write(append(line, '\n')); err != nil {
		return err
	}
	reply, err := s.stdout.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	return json.Unmarshal(reply, out)
}

// stop ends the process, which goes when its input ends, and waits for it.
func (s *server) stop() error {
	defer s.kill()
	defer time.AfterFunc(replyTime, s.kill).Stop()
	closeErr := s.stdin.Close()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("interop: the authorization server ended with %w: %s", errors.Join(err, closeErr), &s.stderr)
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
