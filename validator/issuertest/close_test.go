package issuertest_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestCloseWaitsForNoRest: a client that has sent half a request holds no issuer up.
func TestCloseWaitsForNoRest(t *testing.T) {
	const header = "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n"
	for name, sent := range map[string]string{"half a header": header, "half a body": header + "Expect: 100-continue\r\n\r\n"} {
		iss, err := issuertest.Start()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", strings.TrimPrefix(iss.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprint(conn, sent); err != nil {
			t.Fatal(err)
		}
		if sent != header { // it says that it begins to read the body
			if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
				t.Fatalf("%q, %v", line, err)
			}
			if _, err := fmt.Fprint(conn, "grant"); err != nil {
				t.Fatal(err)
			}
		}
		closed := make(chan struct{})
		go func() { defer close(closed); iss.Close() }()
		select {
		case <-closed:
		case <-time.After(20 * time.Second):
			t.Errorf("%s: it waits", name)
		}
		conn.Close() // which lets even one that waits end
		<-closed
	}
}
