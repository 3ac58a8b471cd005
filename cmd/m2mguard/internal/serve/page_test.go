package serve_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/serve"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestPage: docs/gateway.md says who listens where if the file does not say, and how many
// fields tell the API behind who calls.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(page)), " ")
	iss := issuertest.New(t)
	g := run(t, file(iss, ""), "127.0.0.1:0", nil)
	w := httptest.NewRecorder()
	g.set.Gateway.ServeHTTP(w, question("/orders", map[string][]string{"Authorization": {"Bearer " + iss.Token(issuertest.Claims{Scope: "orders:read"})}}))
	fields := 0
	for name := range w.Header() {
		if strings.HasPrefix(name, "X-Auth-") {
			fields++
		}
	}
	usual := serve.OptionsOf(&config.Serve{})
	for _, words := range []string{
		fmt.Sprintf("`%s` for the proxy's questions (`serve.listen`)", usual.Listen),
		fmt.Sprintf("`%s` for operators, the gate's own keys and the API's metadata (`serve.admin`)", usual.Admin),
		fmt.Sprintf("has all %s fields", map[int]string{7: "seven"}[fields]),
	} {
		if !strings.Contains(text, words) {
			t.Errorf("docs/gateway.md does not say %q; the gate answers with %d fields", words, fields)
		}
	}
}
