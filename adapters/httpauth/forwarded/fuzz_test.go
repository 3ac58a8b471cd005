package forwarded_test

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth/forwarded"
	"github.com/m2mguard/m2mguard/internal/trials/certfields"
)

// FuzzForms reads fields in each form. What is accepted is one whole ASN.1 value,
// and where another reader knows the form, it reads the same.
func FuzzForms(f *testing.F) {
	der := newCertificate(f)
	b64 := base64.StdEncoding.EncodeToString(der)
	for _, text := range []string{
		":" + b64 + ":", b64, certfields.PEM(der), certfields.Escaped(certfields.PEM(der)), certfields.Escaped(certfields.PEM(der) + certfields.PEM(der)), strings.ReplaceAll(certfields.PEM(der), "\n", " "),
		`By=a;Hash=;Cert="` + certfields.Escaped(certfields.PEM(der)) + `";Subject="a\"b"`, "(null)", b64 + "," + b64,
	} {
		f.Add(text)
	}
	const x = "X-Client-Cert"
	unescape := func(text string) []byte {
		plain, err := url.PathUnescape(text)
		if err != nil {
			return nil
		}
		block, _ := pem.Decode([]byte(strings.ReplaceAll(plain, "\r\n", "\n")))
		if block == nil {
			return nil
		}
		return block.Bytes
	}
	forms := map[string]struct {
		field string
		read  func(*http.Request) ([]byte, error)
		again func(text string) []byte // nil: as far as it can be told
	}{
		"RFC 9440": {"Client-Cert", forwarded.ClientCert(proxies), func(text string) []byte {
			got, _ := base64.StdEncoding.DecodeString(strings.Trim(text, ":"))
			return got
		}},
		"HAProxy": {x, forwarded.HAProxy(x, proxies), func(text string) []byte {
			got, _ := base64.StdEncoding.DecodeString(text)
			return got
		}},
		"Caddy": {x, forwarded.Caddy(x, proxies), func(text string) []byte {
			got, _ := base64.StdEncoding.DecodeString(text)
			return got
		}},
		"nginx":   {x, forwarded.NGINX(x, proxies), unescape},
		"ALB":     {x, forwarded.ALB(x, proxies), unescape},
		"Apache":  {x, forwarded.Apache(x, proxies), nil},
		"Traefik": {"X-Forwarded-Tls-Client-Cert", forwarded.Traefik(proxies), nil},
		"Envoy":   {"X-Forwarded-Client-Cert", forwarded.Envoy(proxies), nil},
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, form := range forms {
			r := from(tcp("10.1.2.3:1"))
			r.Header.Set(form.field, text)
			got, err := form.read(r)
			if got == nil {
				if err != nil && len(text) > 20 && strings.Contains(err.Error(), text) {
					t.Errorf("%s: the error holds the field: %v", name, err)
				}
				continue
			}
			var whole asn1.RawValue
			if rest, err := asn1.Unmarshal(got, &whole); err != nil || len(rest) > 0 || whole.Tag != asn1.TagSequence {
				t.Errorf("%s: accepted what is no whole SEQUENCE: %x, %v", name, got, err)
			}
			if form.again == nil {
				continue
			}
			if again := form.again(text); again != nil && !bytes.Equal(again, got) {
				t.Errorf("%s: %x, and another reader has %x", name, got, again)
			}
		}
	})
}
