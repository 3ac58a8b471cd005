package issuertest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// TestCloseGrace: Close waits as long as it says for a client that has sent half a form:
// a second, and in this test a millisecond or an hour.
func TestCloseGrace(t *testing.T) {
	begun := func(grace time.Duration) (client net.Conn, closed chan struct{}) {
		t.Helper()
		iss, err := Start()
		if err != nil {
			t.Fatal(err)
		}
		if iss.grace != time.Second {
			t.Errorf("Close waits for %v, and its comment says a second", iss.grace)
		}
		iss.grace = grace
		client, err = net.Dial("tcp", strings.TrimPrefix(iss.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		if _, err := fmt.Fprint(client, "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
			"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		// It says so as soon as it waits for the form.
		if line, err := bufio.NewReader(client).ReadString('\n'); !strings.Contains(line, " 100 ") {
			t.Fatalf("%q, %v", line, err)
		}
		closed = make(chan struct{})
		go func() { defer close(closed); iss.Close() }()
		return client, closed
	}
	client, long := begun(time.Hour)
	_, short := begun(time.Millisecond)
	select {
	case <-short:
	case <-time.After(30 * time.Second):
		t.Fatal("Close waits for longer than a millisecond")
	}
	select {
	case <-long:
		t.Error("Close does not wait for an hour")
	case <-time.After(100 * time.Millisecond): // for a Close that waits for neither, but a second
	}
	_ = client.Close()
	<-long
}
