// Package certfields is a catalogue of header fields in which proxies hand on the
// certificate of their client, good ones and ones that somebody else wrote, each with
// where that is written. The tests of forwarded and of the adapters run the same table;
// the package knows nothing of what it tests.
package certfields

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"net/url"
	"strings"
)

// Form is how a proxy writes it.
type Form string

// The forms.
const (
	RFC9440 Form = "RFC 9440"
	NGINX   Form = "nginx"
	ALB     Form = "ALB"
	HAProxy Form = "HAProxy"
	Caddy   Form = "Caddy"
	Apache  Form = "Apache"
	Traefik Form = "Traefik"
	Envoy   Form = "Envoy"
)

// Field is where proxies write it that have no field of their own.
const Field = "X-Client-Cert"

// Fields of proxies that have one.
const (
	albField     = "X-Amzn-Mtls-Clientcert"
	traefikField = "X-Forwarded-Tls-Client-Cert"
	envoyField   = "X-Forwarded-Client-Cert"
)

// What comes of a case, beside a part of an error.
const (
	Certificate = "certificate"
	None        = "none"
)

// Case is one request of a proxy that is believed.
type Case struct {
	Name, Cite string
	Form       Form
	Field      string
	Lines      []string
	Want       string // Certificate, None, or a part of the error
	// DER is the certificate that is meant, and Thumbprint its x5t#S256 as a token has
	// it (RFC 8705 §3.1).
	DER        []byte
	Thumbprint string
}

// All builds the catalogue about two certificates, of which the first one is meant, and
// the examples of RFCs.
func All(der, other []byte) []Case {
	b64 := base64.StdEncoding.EncodeToString(der)
	pemText, otherPEM := PEM(der), PEM(other)
	body := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(pemText, "-----BEGIN CERTIFICATE-----\n"), "\n-----END CERTIFICATE-----\n"), "\n", "")
	sum, otherSum := sha256.Sum256(der), sha256.Sum256(other)
	hash, otherHash := hex.EncodeToString(sum[:]), hex.EncodeToString(otherSum[:])
	const x = Field
	spaced := strings.ReplaceAll(pemText, "\n", " ")
	var all []Case
	for _, row := range []struct {
		name, cite string
		form       Form
		field      string
		lines      []string
		want       string
	}{
		{"RFC 9440", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + b64 + ":"}, "certificate"},
		{"RFC 9440, nothing", "RFC 9440 §2.2", RFC9440, "Client-Cert", nil, "none"},
		{"RFC 9440, empty", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{""}, "none"},
		{"RFC 9440, without colons", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{b64}, "between colons"},
		{"RFC 9440, one colon", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + b64}, "between colons"},
		{"RFC 9440, a colon alone", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":"}, "between colons"},
		{"RFC 9440, an empty sequence", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{"::"}, "no DER"},
		{"RFC 9440, two lines", "RFC 9440 §2.4; RFC 9110 §5.3", RFC9440, "Client-Cert", []string{":" + b64 + ":", ":" + b64 + ":"}, "2 Client-Cert fields"},
		{"RFC 9440, a list", "RFC 9440 §2.3", RFC9440, "Client-Cert", []string{":" + b64 + ":, :" + b64 + ":"}, "base64"},
		{"RFC 9440, with a parameter", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + b64 + ":;a=1"}, "between colons"},
		{"RFC 9440, white space", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{": " + b64 + ":"}, "base64"},
		{"RFC 9440, base64url", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + base64.URLEncoding.EncodeToString(append([]byte{0x30, 0x82, 0xff}, bytes.Repeat([]byte{0xff}, 300)...)) + ":"}, "base64"},
		{"RFC 9440, without padding", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + base64.RawStdEncoding.EncodeToString([]byte{0x30, 2, 1, 1, 0}) + ":"}, "base64"},
		{"RFC 9440, spare bits", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":MAIBAf==:"}, "base64"},
		{"RFC 9440, a line break", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + b64[:64] + "\n" + b64[64:] + ":"}, "line break"},
		{"RFC 9440, two certificates in a row", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString(append(bytes.Clone(der), other...)) + ":"}, "no DER"},
		{"RFC 9440, a byte more", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString(append(bytes.Clone(der), 0)) + ":"}, "no DER"},
		{"RFC 9440, a byte less", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString(der[:len(der)-1]) + ":"}, "no DER"},
		{"RFC 9440, another length form", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString(append([]byte{0x30, 0x83, 0}, der[2:]...)) + ":"}, "no DER"},
		{"RFC 9440, a short one in long form", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString([]byte{0x30, 0x81, 2, 5, 0}) + ":"}, "no DER"},
		{"RFC 9440, no length at all", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString([]byte{0x30, 0x80, 5, 0, 0, 0}) + ":"}, "no DER"},
		{"RFC 9440, four bytes of length", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString([]byte{0x30, 0x84, 0, 0, 0, 0}) + ":"}, "no DER"},
		{"RFC 9440, a SET", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString(append([]byte{0x31}, der[1:]...)) + ":"}, "no DER"},
		{"RFC 9440, the PEM of nginx", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{Escaped(pemText)}, "between colons"},
		{"RFC 9440, too long", "RFC 9440 §2.2", RFC9440, "Client-Cert", []string{":" + strings.Repeat("A", 16<<10) + ":"}, "wanted at most"},
		{"RFC 9440, in another field", "RFC 9440 §2.2", RFC9440, x, []string{":" + b64 + ":"}, "none"},

		{"nginx", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped(pemText)}, "certificate"},
		{"nginx, empty", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{""}, "none"},
		{"nginx, no newline at its end", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped(strings.TrimSpace(pemText))}, "certificate"},
		{"nginx, CR LF", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped(strings.ReplaceAll(pemText, "\n", "\r\n"))}, "certificate"},
		{"nginx, a plus sign is none", "wso2/api-manager#5085", NGINX, x, []string{strings.ReplaceAll(Escaped(pemText), "%2B", "+")}, "certificate"},
		{"nginx, two certificates", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped(pemText + otherPEM)}, "more than one"},
		{"nginx, a key behind", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped(pemText + strings.ReplaceAll(otherPEM, "CERTIFICATE", "PRIVATE KEY"))}, "no PEM"},
		{"nginx, text before", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped("subject=CN\n" + pemText)}, "no PEM"},
		{"nginx, text behind", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped(pemText + "x")}, "no PEM"},
		{"nginx, another block", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped(strings.ReplaceAll(pemText, "CERTIFICATE", "PUBLIC KEY"))}, "no PEM"},
		{"nginx, PEM headers", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped(strings.Replace(pemText, "-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1))}, "more than one"},
		{"nginx, $ssl_client_cert", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{pemText}, "certificate"},
		{"nginx, a broken escape", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped(pemText) + "%4"}, "percent sign"},
		{"nginx, escaped twice", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped(Escaped(pemText))}, "no PEM"},
		{"nginx, two lines", "RFC 9440 §2.4; RFC 9110 §5.3", NGINX, x, []string{Escaped(pemText), Escaped(otherPEM)}, "2 X-Client-Cert fields"},
		{"nginx, one line empty", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{"", Escaped(pemText)}, "2 X-Client-Cert fields"},
		{"nginx, another's form", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{b64}, "no PEM"},
		{"nginx, a NUL", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped(strings.Replace(pemText, "MII", "MII\x00", 1))}, "base64"},
		{"nginx, white space within a line", "nginx ngx_http_ssl_module, $ssl_client_escaped_cert", NGINX, x, []string{Escaped(strings.Replace(pemText, "MII", "MI I", 1))}, "certificate"},
		{"ALB", "AWS ALB, mutual TLS headers", ALB, albField, []string{albEscaped(pemText)}, "certificate"},
		{"ALB, escaped throughout", "AWS ALB, mutual TLS headers", ALB, albField, []string{Escaped(pemText)}, "certificate"},
		{"ALB, a chain begins with the leaf", "AWS ALB, mutual TLS headers", ALB, albField, []string{albEscaped(pemText + otherPEM)}, "certificate"},
		{"ALB, a chain with something else", "AWS ALB, mutual TLS headers", ALB, albField, []string{albEscaped(pemText + "x" + otherPEM)}, "no PEM"},
		{"ALB, a chain that breaks off", "AWS ALB, mutual TLS headers", ALB, albField, []string{albEscaped(pemText + otherPEM[:100])}, "no PEM"},
		{"ALB, nothing in it", "AWS ALB, mutual TLS headers", ALB, albField, []string{"%20"}, "none"},

		{"HAProxy", "HAProxy ssl_c_der", HAProxy, x, []string{b64}, "certificate"},
		{"HAProxy, empty", "HAProxy ssl_c_der", HAProxy, x, []string{""}, "none"},
		{"HAProxy, with colons", "HAProxy ssl_c_der", HAProxy, x, []string{":" + b64 + ":"}, "base64"},
		{"HAProxy, joined by a comma", "HAProxy ssl_c_der", HAProxy, x, []string{b64 + "," + b64}, "base64"},
		{"HAProxy, hexadecimal", "HAProxy ssl_c_der", HAProxy, x, []string{strings.ToUpper(hex.EncodeToString(der))}, "no "},
		{"Caddy", "Caddy tls.client.certificate_der_base64", Caddy, x, []string{b64}, "certificate"},
		{"Caddy, its placeholder", "Caddy tls.client.certificate_der_base64", Caddy, x, []string{"{http.request.tls.client.certificate_der_base64}"}, "none"},
		{"Caddy, its PEM placeholder", "Caddy tls.client.certificate_der_base64", Caddy, x, []string{"{http.request.tls.client.certificate_pem}"}, "base64"},
		{"Caddy, the placeholder before", "Caddy tls.client.certificate_der_base64", Caddy, x, []string{"{http.request.tls.client.certificate_der_base64}" + b64}, "base64"},
		{"Caddy, its field and another", "Caddy tls.client.certificate_der_base64", Caddy, x, []string{b64, "{http.request.tls.client.certificate_der_base64}"}, "2 X-Client-Cert fields"},
		{"Apache", "Apache mod_ssl SSL_CLIENT_CERT, mod_headers", Apache, x, []string{spaced}, "certificate"},
		{"Apache, (null)", "Apache mod_ssl SSL_CLIENT_CERT, mod_headers", Apache, x, []string{"(null)"}, "none"},
		{"Apache, two certificates", "Apache mod_ssl SSL_CLIENT_CERT, mod_headers", Apache, x, []string{spaced + strings.ReplaceAll(otherPEM, "\n", " ")}, "more than one"},
		{"Apache, escaped", "Apache mod_ssl SSL_CLIENT_CERT, mod_headers", Apache, x, []string{Escaped(pemText)}, "no PEM"},
		{"Traefik", "Traefik passTLSClientCert", Traefik, traefikField, []string{body}, "certificate"},
		{"Traefik, escaped", "Traefik passTLSClientCert", Traefik, traefikField, []string{Escaped(body)}, "certificate"},
		{"Traefik, with markers, escaped", "Traefik passTLSClientCert", Traefik, traefikField, []string{Escaped(pemText)}, "certificate"},
		{"Traefik, a chain", "traefik/traefik#13940", Traefik, traefikField, []string{body + "," + body}, "several certificates"},
		{"Traefik, a chain, escaped", "Traefik passTLSClientCert", Traefik, traefikField, []string{Escaped(body + "," + body)}, "several certificates"},

		{"Envoy", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`Cert="` + Escaped(pemText) + `"`}, "certificate"},
		{"Envoy, without quotes", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`Cert=` + Escaped(pemText)}, "certificate"},
		{"Envoy, all keys", "envoyproxy/envoy#32945", Envoy, envoyField, []string{`By=spiffe://acme/gate;Hash=` + hash + `;Cert="` + Escaped(pemText) + `";Subject="CN=orders\",worker\\,O=acme;x=1";URI=;DNS=a;DNS=b`}, "certificate"},
		{"Envoy, a Hash alone", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`Hash=` + hash}, "no Cert"},
		{"Envoy, another's Hash", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`Hash=` + otherHash + `;Cert="` + Escaped(pemText) + `"`}, "not the Cert's"},
		{"Envoy, a Hash that is none", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`Hash=` + hash[2:] + `;Cert="` + Escaped(pemText) + `"`}, "no SHA-256"},
		{"Envoy, two elements", "envoyproxy/envoy#32945", Envoy, envoyField, []string{`Cert="` + Escaped(pemText) + `",Cert="` + Escaped(otherPEM) + `"`}, "several elements"},
		{"Envoy, an element before", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`By=spiffe://evil,Cert="` + Escaped(pemText) + `"`}, "several elements"},
		{"Envoy, Cert twice", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`Cert="` + Escaped(pemText) + `";cert="` + Escaped(otherPEM) + `"`}, "twice"},
		{"Envoy, Hash twice", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`Hash=` + hash + `;Hash=` + hash + `;Cert="` + Escaped(pemText) + `"`}, "twice"},
		{"Envoy, a Cert within a Subject", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`Subject=";Cert=` + Escaped(pemText) + `"`}, "no Cert"},
		{"Envoy, a quote that opens", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`Cert="` + Escaped(pemText)}, "does not end"},
		{"Envoy, a quote within", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`By=a"b;Cert="` + Escaped(pemText) + `"`}, "quote within"},
		{"Envoy, text behind a quote", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`Cert="` + Escaped(pemText) + `"x`}, "no list"},
		{"Envoy, nothing behind ;", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{`Cert="` + Escaped(pemText) + `";`}, "no list"},
		{"Envoy, no pairs", "Envoy x-forwarded-client-cert", Envoy, envoyField, []string{Escaped(pemText)}, "no list"},
		{"Envoy, two lines", "RFC 9440 §2.4; RFC 9110 §5.3", Envoy, envoyField, []string{`Cert="` + Escaped(pemText) + `"`, `By=a`}, "2 X-Forwarded-Client-Cert fields"},
	} {
		all = append(all, Case{row.name, row.cite, row.form, row.field, row.lines, row.want, der, base64.RawURLEncoding.EncodeToString(sum[:])})
	}
	return append(all, examples()...)
}

// examples are those of RFC 9440 §2.2 and of RFC 8705 Appendix A, with its thumbprint.
func examples() (all []Case) {
	for _, e := range []struct{ name, cite, text, thumbprint string }{
		{"RFC 9440's example", "RFC 9440 §2.2", rfc9440Example, ""},
		{"RFC 8705's example", "RFC 8705 Appendix A", rfc8705Example, "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"},
	} {
		der, err := base64.StdEncoding.DecodeString(e.text)
		if err != nil {
			panic("certfields: " + err.Error())
		}
		if e.thumbprint == "" {
			sum := sha256.Sum256(der)
			e.thumbprint = base64.RawURLEncoding.EncodeToString(sum[:])
		}
		all = append(all, Case{e.name, e.cite, RFC9440, "Client-Cert", []string{":" + e.text + ":"}, Certificate, der, e.thumbprint})
	}
	return all
}

const (
	rfc9440Example = "MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk="
	rfc8705Example = "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOVbUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY="
)

// PEM is a certificate in PEM.
func PEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// Escaped is a text as nginx and Envoy write it, and ALB with its safe characters.
func Escaped(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func albEscaped(text string) string {
	return strings.NewReplacer("%2B", "+", "%3D", "=", "%2F", "/").Replace(Escaped(text))
}
