package issuertest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// read asks for the key set and reads the answer to its end.
func read(t *testing.T, iss *issuertest.Issuer) ([]byte, error) {
	t.Helper()
	resp, err := iss.Client().Get(iss.JWKSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	return io.ReadAll(resp.Body)
}

func TestReset(t *testing.T) {
	for kind, want := range map[string]error{"socket": syscall.ECONNRESET, "in memory": io.ErrUnexpectedEOF} {
		t.Run(kind, func(t *testing.T) {
			iss := start[kind](t)
			whole, err := read(t, iss)
			if err != nil {
				t.Fatal(err)
			}
			iss.SetFault(issuertest.JWKS, issuertest.Reset())
			body, err := read(t, iss)
			if !errors.Is(err, want) {
				t.Errorf("error %v, wanted %v", err, want)
			}
			if len(body) > len(whole)/2 || !bytes.HasPrefix(whole, body) {
				t.Errorf("%d of %d bytes came", len(body), len(whole))
			}
		})
	}
}

func TestDrip(t *testing.T) {
	for kind, start := range start {
		t.Run(kind, func(t *testing.T) {
			iss := start(t)
			whole, err := read(t, iss)
			if err != nil {
				t.Fatal(err)
			}
			const pause = 20 * time.Microsecond
			iss.SetFault(issuertest.JWKS, issuertest.Drip(pause))
			began := time.Now()
			body, err := read(t, iss)
			if err != nil || !bytes.Equal(body, whole) {
				t.Errorf("%d of %d bytes came: %v", len(body), len(whole), err)
			}
			if took := time.Since(began); took < pause*time.Duration(len(whole))/2 {
				t.Errorf("it took %v", took)
			}
			iss.SetFault(issuertest.JWKS, issuertest.Drip(time.Hour))
			resp, err := iss.Client().Get(iss.JWKSURL())
			if err != nil {
				t.Fatal(err) // the header comes at once
			}
			_ = resp.Body.Close()
		})
	}
}

func TestGzipBomb(t *testing.T) {
	iss := issuertest.New(t)
	const size = 1 << 20
	iss.SetFault(issuertest.JWKS, issuertest.GzipBomb(size))
	body, err := read(t, iss)
	if err != nil || len(body) <= size || !json.Valid(body) {
		t.Errorf("%d bytes, decompressed by the transport: %v", len(body), err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, iss.JWKSURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	resp, err := iss.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || len(raw) > size/100 {
		t.Errorf("%d bytes on the wire: %v", len(raw), err)
	}
}
