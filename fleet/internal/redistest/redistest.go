// Package redistest starts a real redis-server for tests and programs of this module.
package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Program is the server's, from M2MGUARD_REDIS_SERVER, or the PATH.
func Program() (string, error) {
	if path := os.Getenv("M2MGUARD_REDIS_SERVER"); path != "" {
		return exec.LookPath(path)
	}
	return exec.LookPath("redis-server")
}

// Server is a redis-server on a loopback port, which may be ended and started again.
type Server struct {
	Address string
	folder  string
	args    []string
	process *exec.Cmd
}

// Start starts a server whose files are in folder. It saves nothing unless args say
// so, as "--appendonly yes" does.
func Start(folder string, args ...string) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &Server{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), folder: folder}
	s.args = append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--loglevel", "warning", "--repl-diskless-sync-delay", "0"}, args...)
	return s, s.Restart()
}

// busAbove is by how much the port of a cluster's bus is above a node's own.
const busAbove = 10_000

func freePort() (int, error) {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return 0, err
		}
		if port+busAbove <= 1<<16-1 {
			return port, nil
		}
	}
}

// Restart starts the server again, with what its files hold.
func (s *Server) Restart() error {
	program, err := Program()
	if err != nil {
		return fmt.Errorf("there is no redis-server on this machine: apt-get install redis-server, and end the service that it starts: %w", err)
	}
	s.process = exec.Command(program, s.args...)
	var said strings.Builder
	s.process.Stdout, s.process.Stderr = &said, &said
	if err := s.process.Start(); err != nil {
		return err
	}
	for range 2000 {
		if answer, err := s.Do("PING"); err == nil && answer == "+PONG" {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.Kill()
	return fmt.Errorf("redis-server does not answer on %s: %s", s.Address, said.String())
}

// Kill ends the server as a crash does, and waits until it has ended.
func (s *Server) Kill() {
	if s.process != nil {
		_ = s.process.Process.Kill() // it may have ended
		_ = s.process.Wait()
		s.process = nil
	}
}

// Forget removes the server's files, while it does not run.
func (s *Server) Forget() error {
	files, err := filepath.Glob(filepath.Join(s.folder, "*"))
	for _, name := range files {
		err = errors.Join(err, os.RemoveAll(name))
	}
	return err
}

// Do sends an inline command, whose arguments have no blanks, and returns the first
// line of the answer.
func (s *Server) Do(command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(conn, "%s\r\n", strings.Join(command, " ")); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// Run reports whether the server runs.
func (s *Server) Run() bool { return s.process != nil }

// HostPort is the address in two.
func (s *Server) HostPort() (host, port string) {
	host, port, _ = net.SplitHostPort(s.Address)
	return host, port
}
