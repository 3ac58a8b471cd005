package httpauth

import (
	"net/http"
	"testing"
)

// TestDefaultSource is the host of the connection's other end.
func TestDefaultSource(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:1234":      "192.0.2.1",
		"[2001:db8::1]:1234":  "2001:db8::1",
		"[fe80::1%eth0]:1234": "fe80::1%eth0",
		"client.example:1":    "client.example",
		"@":                   "@", // a Unix socket
		"pipe":                "pipe",
		"":                    "",
		"192.0.2.1":           "192.0.2.1",
	} {
		if got := peer(&http.Request{RemoteAddr: addr}); got != want {
			t.Errorf("the source of %q is %q, want %q", addr, got, want)
		}
	}
}
