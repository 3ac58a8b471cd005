package fleet

import (
	"bufio"
	"errors"
	"fmt"
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
	if _, err := io.WriteString(limited, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, limited); !errors.Is(err, errLong) || n > mostRead {
		t.Errorf("after %d bytes the error is %v, wanted errLong", n, err)
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

// TestAnswersAreCounted: each answer is bounded where it stands, whatever else comes over
// the connection, in whatever pieces.
func TestAnswersAreCounted(t *testing.T) {
	const most = 100
	text := func(n int) string { return fmt.Sprintf("$%d\r\n%s\r\n", n, strings.Repeat("x", n)) }
	for name, tc := range map[string]struct {
		answers string
		longer  bool
	}{
		"many short ones":               {strings.Repeat("+OK\r\n:1\r\n$-1\r\n*-1\r\n_\r\n-ERR no\r\n*0\r\n$0\r\n\r\n#t\r\n%0\r\n", 50), false},
		"texts, each within the bound":  {strings.Repeat(text(80), 50), false},
		"lists, each within the bound":  {strings.Repeat("*2\r\n"+text(30)+"*1\r\n"+text(20), 50), false},
		"maps and what is pushed":       {strings.Repeat(">1\r\n+x\r\n|1\r\n+a\r\n+b\r\n%1\r\n+k\r\n~1\r\n"+text(40), 50), false},
		"line ends in texts":            {strings.Repeat("$9\r\n*9\r\n$99\r\n\r\n", 50), false},
		"a text over the bound":         {"+OK\r\n" + text(101), true},
		"one that only says so":         {"+OK\r\n$101\r\n", true},
		"a list that only says so":      {"*1000\r\n", true},
		"a length without end":          {"*9223372036854775807\r\n", true},
		"a line over the bound":         {"-" + strings.Repeat("x", 101), true},
		"a list of texts within it":     {"*3\r\n" + text(40) + text(40) + text(40), true},
		"a list within a list":          {"*2\r\n*2\r\n" + text(40) + text(40) + text(40), true},
		"a map":                         {"%1\r\n" + text(60) + text(60), true},
		"what is said beside an answer": {"|1\r\n+a\r\n" + text(60) + text(60), true},
		"a long one after short ones":   {strings.Repeat(text(80), 50) + "*2\r\n" + text(60) + text(60), true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{1, 7, 64, 1 << 20} {
				var a answerSize
				fits := true
				for rest := []byte(tc.answers); len(rest) > 0 && fits; {
					n := min(piece, len(rest))
					fits = a.add(rest[:n], most)
					rest = rest[n:]
				}
				if fits == tc.longer {
					t.Errorf("in pieces of %d it fits: %v, wanted %v", piece, fits, !tc.longer)
				}
				if fits && (a.read != 0 || a.values != 0 || a.text != 0 || len(a.line) != 0) {
					t.Errorf("in pieces of %d it ends within an answer: %+v", piece, a)
				}
			}
		})
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
