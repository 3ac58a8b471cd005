//go:build interop

package proxies_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMetadata: the document to which a challenge leads (RFC 9728) is served through each
// proxy, to everybody, past the gate and the API, and nothing else of where operators look is.
func TestMetadata(t *testing.T) {
	for _, p := range gates {
		t.Run(p.name, func(t *testing.T) {
			s := p.erect(t, "{headers: true}")
			isMetadata := func(answer string) bool {
				var said struct {
					Resource string   `json:"resource"`
					Servers  []string `json:"authorization_servers"`
				}
				return json.Unmarshal([]byte(answer), &said) == nil && said.Resource == "https://api.example.com" && slices.Equal(said.Servers, []string{s.iss.URL()})
			}
			if status, answer := s.get(t, metadata); status != 200 || !isMetadata(answer) {
				t.Errorf("%d, %s", status, answer)
			}
			for _, target := range []string{
				"/metrics", "/live", "/.well-known/jwks.json", metadata + "/metrics", metadata + "/../../metrics", metadata + "/..%2f..%2fmetrics",
				metadata + "/../jwks.json", metadata + "/%2e%2e/jwks.json", "/metrics/../" + metadata, "/metrics;/.." + metadata, "/metrics%23/.." + metadata,
				"//metrics", metadata + ";/../../metrics", metadata + `\..\..\metrics`, "http://api.example.com/metrics",
			} {
				if status, answer := s.get(t, target); status >= 200 && status < 300 && !isMetadata(answer) {
					t.Errorf("%s: %d, and %d bytes that are no metadata", target, status, len(answer))
				}
			}
			if got := s.take(); len(got) > 0 {
				t.Errorf("the API was reached: %+v", got)
			}
		})
	}
}

// get sends a request for a target as it is, and returns status and body, or 0.
func (s *stand) get(t *testing.T, target string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: api.example.com\r\n\r\n", target); err != nil {
		return 0, "" // it hung up
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		return 0, ""
	}
	if n, err := fmt.Sscanf(string(all), "HTTP/1.%d %d", new(int), &status); n != 2 || err != nil {
		return 0, ""
	}
	_, body, _ = strings.Cut(string(all), "\r\n\r\n")
	return status, body
}
