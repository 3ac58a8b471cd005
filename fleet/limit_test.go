package fleet

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/revocation"
)

// endless is a server that answers the first command with a text that does not end.
func endless(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
					return
				}
				_, _ = io.WriteString(conn, "$2147483647\r\n")
				for chunk := strings.Repeat("x", 1<<20); ; {
					if _, err := io.WriteString(conn, chunk); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestLongAnswer: an answer that does not end takes no more than so much memory.
func TestLongAnswer(t *testing.T) {
	conn, err := net.Dial("tcp", endless(t))
	if err != nil {
		t.Fatal(err)
	}
	limited := &limited{Conn: conn, most: mostRead}
	for range 2 { // what is sent begins anew
		if _, err := io.WriteString(limited, "PING\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, limited, mostRead-1<<10); err != nil {
			t.Fatalf("before the bound: %v", err)
		}
	}
	if n, err := io.CopyN(io.Discard, limited, 1<<20); !errors.Is(err, errLong) {
		t.Errorf("after %d bytes more the error is %v, wanted errLong", n, err)
	}
	server := miniredis.RunT(t)
	if err := server.Set("key", strings.Repeat("x", 4<<20)); err != nil {
		t.Fatal(err)
	}
	r, err := newRedis("redis://"+server.Addr(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	r.option.ForceSingleClient = true
	r.most = 1 << 20
	if _, err := r.Do(t.Context(), "key", "GET", "key"); !errors.Is(err, errLong) {
		t.Errorf("a command ends with %v, wanted errLong", err)
	}
}

// TestLongLog: what somebody has put into the log, too long to be read, is passed over.
func TestLongLog(t *testing.T) {
	p := newParty(t)
	p.before = func(f *Fleet) { f.own.most = 1 << 20 }
	a := p.join(nil)
	p.until("loaded", func() bool { return filled(a) })
	long := strings.Repeat("x", 4<<20)
	if _, err := p.server.XAdd(a.feed.logKey(), "*", []string{"x", long}); err != nil {
		t.Fatal(err)
	}
	p.until("told", func() bool { return p.heard(errLong.Error()) })
	time.Sleep(400 * time.Millisecond) // the list is not taken for current any more
	p.until("current again", func() bool { return current(a) })
	p.revoke(a, revocation.Block(revocation.Client(partyIssuer, "batch")))
}

// TestLongAcknowledgements: what somebody has put among an instance's acknowledgements, too
// long to be read, ends one session and not each.
func TestLongAcknowledgements(t *testing.T) {
	p := newParty(t)
	p.before = func(f *Fleet) { f.own.most = 1 << 20 }
	a, b := p.join(nil), p.join(nil)
	p.until("loaded", func() bool { return filled(a) && filled(b) })
	key := a.feed.ackKey(a.feed.me)
	for range 20 {
		if _, err := p.server.XAdd(key, "*", []string{"ack", strings.Repeat("x", 100_000)}); err != nil {
			t.Fatal(err)
		}
	}
	p.until("taken away", func() bool { return !p.server.Exists(key) })
	p.until("current again", func() bool { return current(a) })
	receipt, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(partyIssuer, "batch")))
	if err != nil || len(receipt.Acknowledged) != 2 {
		t.Errorf("%v, %v", receipt, err)
	}
}
