// Package badlink is a TCP proxy that does to connections what networks do.
package badlink

import (
	"net"
	"sync"
	"time"
)

// Link is a proxy on a loopback port.
type Link struct {
	Address  string
	listener net.Listener

	mu      sync.Mutex
	moved   *sync.Cond
	target  string
	refuses bool
	holds   bool // nothing arrives, and nothing is closed
	delay   time.Duration
	conns   map[net.Conn]bool
	closed  bool
	running sync.WaitGroup
}

// New starts a proxy to an address.
func New(target string) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Link{Address: listener.Addr().String(), listener: listener, target: target, conns: map[net.Conn]bool{}}
	l.moved = sync.NewCond(&l.mu)
	l.running.Go(l.accept)
	return l, nil
}

func (l *Link) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.running.Go(func() { l.serve(client) })
	}
}

func (l *Link) serve(client net.Conn) {
	defer client.Close()
	l.mu.Lock()
	target, refuses := l.target, l.refuses || l.closed
	l.mu.Unlock()
	if refuses {
		return
	}
	server, err := net.DialTimeout("tcp", target, time.Second)
	if err != nil {
		return
	}
	defer server.Close()
	if !l.keep(target, client, server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(client, server) })
	both.Go(func() { l.pump(server, client) })
	both.Wait()
	l.mu.Lock()
	delete(l.conns, client)
	delete(l.conns, server)
	l.mu.Unlock()
}

// keep notes a connection, unless the link was cut or led elsewhere meanwhile.
func (l *Link) keep(target string, conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuses || l.closed || l.target != target {
		return false
	}
	for _, c := range conns {
		l.conns[c] = true
	}
	return true
}

// pump carries bytes one way.
func (l *Link) pump(from, to net.Conn) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if !l.pass() {
				return
			}
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits while the link holds, and for its delay.
func (l *Link) pass() bool {
	l.mu.Lock()
	for l.holds && !l.closed {
		l.moved.Wait()
	}
	delay, closed := l.delay, l.closed
	l.mu.Unlock()
	time.Sleep(delay)
	return !closed
}

func (l *Link) set(change func()) {
	l.mu.Lock()
	change()
	l.mu.Unlock()
	l.moved.Broadcast()
}

// Cut closes all connections and refuses new ones, until Heal.
func (l *Link) Cut() { l.set(func() { l.refuses = true }); l.Drop() }

// Hold lets nothing through, and closes nothing, until Heal.
func (l *Link) Hold() { l.set(func() { l.holds = true }) }

// Delay has each piece wait, until Heal.
func (l *Link) Delay(how time.Duration) { l.set(func() { l.delay = how }) }

// Drop closes all connections once, whatever is under way.
func (l *Link) Drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.Close() // its pump says so
	}
}

// Target has new connections lead elsewhere, and closes those that there are.
func (l *Link) Target(address string) { l.set(func() { l.target = address }); l.Drop() }

// Heal ends what was done.
func (l *Link) Heal() { l.set(func() { l.refuses, l.holds, l.delay = false, false, 0 }) }

// Close ends the proxy.
func (l *Link) Close() {
	_ = l.listener.Close()
	l.set(func() { l.closed = true })
	l.Drop()
	l.running.Wait()
}
