// Package socket asks servers over real connections: net/http's server on loopback,
// HTTP/1.1 with keep-alive, and a client that costs as little as an honest one can. Server
// and client share the machine's cores, as both run in this process.
package socket

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/m2mguard/m2mguard/bench/internal/measure"
)

// Connections is how many requests are under way at a time, each on a connection of its
// own: more than processors, so that none of those waits for an answer.
const Connections = 16

// Server is a handler that listens.
type Server struct {
	server  *http.Server
	address string
	clients []*client
}

// Serve starts a server of handler, with Connections to it. Each request is GET path and
// must be answered with 200 and body.
func Serve(handler http.Handler, path string, body []byte) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{server: &http.Server{Handler: handler}, address: listener.Addr().String()}
	go func() { _ = s.server.Serve(listener) }() // until Close
	for range Connections {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.clients = append(s.clients, &client{
			conn: conn, answers: bufio.NewReader(conn), want: body,
			head: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer ", path, s.address),
		})
	}
	return s, nil
}

// Close ends the connections and the server.
func (s *Server) Close() {
	for _, c := range s.clients {
		_ = c.conn.Close()
	}
	_ = s.server.Close()
}

// Subject is the server under load: requests with tokens, one after the other.
func (s *Server) Subject(name string, tokens []string) measure.Subject {
	next := 0
	return measure.Subject{
		Name:    name,
		Workers: Connections,
		Worker: func() func(int) error {
			c := s.clients[next%Connections]
			next++
			return func(i int) error { return c.ask(tokens[i%len(tokens)]) }
		},
	}
}

// client is one connection.
type client struct {
	conn    net.Conn
	answers *bufio.Reader
	head    []byte // of a request, up to its token
	request []byte
	body    []byte
	want    []byte
}

// ask sends one request and reads its whole answer.
func (c *client) ask(token string) error {
	c.request = append(append(append(c.request[:0], c.head...), token...), "\r\n\r\n"...)
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	line, err := c.answers.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("socket: answered %q, wanted 200", bytes.TrimSpace(line))
	}
	length, err := c.length()
	if err != nil {
		return err
	}
	if cap(c.body) < length {
		c.body = make([]byte, length)
	}
	c.body = c.body[:length]
	if _, err := io.ReadFull(c.answers, c.body); err != nil {
		return err
	}
	if !bytes.Equal(c.body, c.want) {
		return fmt.Errorf("socket: answered with the body %q, wanted %q", c.body, c.want)
	}
	return nil
}

// most is how long a body may say that it is.
const most = 1 << 16

// length reads an answer's header to its end and returns how long its body is.
func (c *client) length() (int, error) {
	length := -1
	for {
		line, err := c.answers.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimSuffix(line, []byte("\r\n"))
		if len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > most {
				return 0, fmt.Errorf("socket: an answer of %q bytes", value)
			}
		}
	}
	if length < 0 {
		return 0, errors.New("socket: an answer without Content-Length")
	}
	return length, nil
}
