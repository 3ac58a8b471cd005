// Package redistest starts a real redis-server for tests.
package redistest

import (
	"bufio"
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Start starts a server on a loopback port, which saves nothing unless args say so, and
// returns its address. The test is skipped where there is no such program;
// M2MGUARD_REDIS_SERVER names one, which must be there.
func Start(t *testing.T, args ...string) string {
	t.Helper()
	name := os.Getenv("M2MGUARD_REDIS_SERVER")
	program, err := exec.LookPath(cmp.Or(name, "redis-server"))
	switch {
	case err != nil && name != "":
		t.Fatal(err)
	case err != nil:
		t.Skip("no redis-server on this machine (M2MGUARD_REDIS_SERVER names one)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	var said strings.Builder
	server := exec.Command(program, append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--loglevel", "warning"}, args...)...)
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for range 2000 {
		if line, err := Do(address, "PING"); err == nil && line != "" {
			return address
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("redis-server does not answer: %s", said.String())
	return ""
}

// Do sends a command whose arguments have no blanks, and returns the first line of the
// answer.
func Do(address string, command ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(conn, "%s\r\n", strings.Join(command, " ")); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}
