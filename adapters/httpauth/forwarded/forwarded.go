package forwarded

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/validator"
)

// MaxBytes is the length of the longest field that is looked at.
const MaxBytes = 16 << 10

// errNoConnContext is answered with 503: nobody can be told apart.
var errNoConnContext = fmt.Errorf("%w: forwarded: a certificate was handed on, and who is on the other end of the connection is not known: wanted http.Server.ConnContext to be forwarded.ConnContext", validator.ErrUnavailable)

// certificate is a function for httpauth.Config.ClientCertificate.
type certificate = func(r *http.Request) (der []byte, err error)

// ClientCert reads the Client-Cert field of RFC 9440 §2.2: the DER between colons.
// HAProxy writes it with
//
//	http-request set-header Client-Cert :%[ssl_c_der,base64]: if { ssl_c_used }
//	http-request del-header Client-Cert unless { ssl_c_used }
func ClientCert(from ...Trust) func(r *http.Request) (der []byte, err error) {
	return read("Client-Cert", from, func(text string) ([]byte, error) {
		inner, opened := strings.CutPrefix(text, ":")
		inner, closed := strings.CutSuffix(inner, ":")
		if !opened || !closed {
			return nil, errors.New("no byte sequence of RFC 8941 §3.3.5, which stands between colons")
		}
		return decode(inner)
	})
}

// NGINX reads what nginx writes with
//
//	proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
//
// which is PEM, percent-encoded, and empty without a certificate.
func NGINX(field string, from ...Trust) func(r *http.Request) (der []byte, err error) {
	return read(field, from, escapedPEM)
}

// ALB reads what an AWS Application Load Balancer writes into
// X-Amzn-Mtls-Clientcert in pass-through mode, the client's chain with its own
// certificate first, and into X-Amzn-Mtls-Clientcert-Leaf where it verifies: PEM,
// percent-encoded but for +, = and /.
func ALB(field string, from ...Trust) func(r *http.Request) (der []byte, err error) {
	return read(field, from, func(text string) ([]byte, error) {
		plain, err := url.PathUnescape(text)
		if err != nil {
			return nil, errNotEscaped
		}
		var first []byte
		for plain = strings.Trim(plain, breaks); plain != ""; {
			inner, rest, ends := strings.Cut(plain, pemEnd)
			if !ends {
				return nil, errNoPEM
			}
			der, err := pemBlock(inner + pemEnd)
			if err != nil {
				return nil, err
			}
			if first == nil {
				first = der
			}
			plain = strings.Trim(rest, breaks)
		}
		return first, nil
	})
}

// HAProxy reads the DER in base64, as HAProxy writes it with
//
//	http-request set-header X-Client-Cert %[ssl_c_der,base64]
func HAProxy(field string, from ...Trust) func(r *http.Request) (der []byte, err error) {
	return read(field, from, decode)
}

// Caddy reads the DER in base64, as Caddy writes it with
//
//	header_up X-Client-Cert {tls_client_certificate_der_base64}
//
// and the placeholder itself, by its long name, without a certificate.
func Caddy(field string, from ...Trust) func(r *http.Request) (der []byte, err error) {
	return read(field, from, func(text string) ([]byte, error) {
		if text == "{http.request.tls.client.certificate_der_base64}" {
			return nil, nil
		}
		return decode(text)
	})
}

// Apache reads PEM whose lines are joined by spaces, as Apache writes it with
//
//	RequestHeader set X-Client-Cert "%{SSL_CLIENT_CERT}s"
//
// and "(null)" without a certificate.
func Apache(field string, from ...Trust) func(r *http.Request) (der []byte, err error) {
	return read(field, from, func(text string) ([]byte, error) {
		if text == "(null)" {
			return nil, nil
		}
		return pemBody(text)
	})
}

// Traefik reads X-Forwarded-Tls-Client-Cert, which Traefik's passTLSClientCert
// middleware writes with pem: PEM without its markers, percent-encoded in some
// versions. A chain, joined by commas, is an error: the leaf alone is asked for.
func Traefik(from ...Trust) func(r *http.Request) (der []byte, err error) {
	return read("X-Forwarded-Tls-Client-Cert", from, func(text string) ([]byte, error) {
		plain, err := url.PathUnescape(text)
		if err != nil {
			return nil, errNotEscaped
		}
		if strings.Contains(plain, ",") {
			return nil, errors.New("several certificates, wanted one")
		}
		if strings.HasPrefix(plain, pemBegin) {
			return pemBlock(plain)
		}
		return decode(withoutBreaks(plain))
	})
}

// read makes a function of how a field's text is read.
func read(field string, from []Trust, parse func(text string) ([]byte, error)) certificate {
	field = http.CanonicalHeaderKey(field)
	if field == "" {
		panic("forwarded: the field's name is empty, wanted the one that the proxy writes")
	}
	if len(from) == 0 || slices.ContainsFunc(from, func(t Trust) bool { return t.believes == nil }) {
		panic("forwarded: nobody's word counts: wanted Peers, UnixSocket or Secret")
	}
	return func(r *http.Request) ([]byte, error) {
		believed, err := believe(r, from)
		lines := r.Header[field]
		switch {
		case len(lines) == 0, len(lines) == 1 && lines[0] == "": // which is how some proxies clear one
			return nil, nil
		case err != nil:
			return nil, err
		case !believed:
			return nil, fmt.Errorf("forwarded: there is a %s field%s, and whose word counts did not send it: wanted the proxy's address in a network of Peers, its Unix socket, or its Secret, once", field, whence(r))
		case len(lines) > 1:
			return nil, fmt.Errorf("forwarded: %d %s fields, wanted one: the proxy must overwrite what its client sent", len(lines), field)
		case len(lines[0]) > MaxBytes:
			return nil, fmt.Errorf("forwarded: %s has %d bytes, wanted at most %d", field, len(lines[0]), MaxBytes)
		}
		der, err := parse(lines[0])
		if err == nil && der != nil {
			err = checkDER(der)
		}
		if err != nil {
			return nil, fmt.Errorf("forwarded: %s holds no certificate in the form that was asked for: %w", field, err)
		}
		return der, nil
	}
}

// believe asks all, so that each removes what it must. One that cannot tell is an
// error unless another trusts.
func believe(r *http.Request, from []Trust) (believed bool, err error) {
	for _, t := range from {
		yes, fault := t.believes(r)
		believed = believed || yes
		if err == nil {
			err = fault
		}
	}
	if believed {
		return true, nil
	}
	return false, err
}

const (
	pemBegin = "-----BEGIN CERTIFICATE-----"
	pemEnd   = "-----END CERTIFICATE-----"
)

// escapedPEM reads percent-encoded PEM. A plus sign is one, and no space.
func escapedPEM(text string) ([]byte, error) {
	plain, err := url.PathUnescape(text)
	if err != nil {
		return nil, errNotEscaped
	}
	return pemBlock(plain)
}

// pemBlock reads one certificate in PEM as it is, with its lines, where this package and
// Go's read the same.
func pemBlock(text string) ([]byte, error) {
	der, err := pemBody(text)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || !bytes.Equal(block.Bytes, der) || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errNoPEM
	}
	return der, nil
}

// pemBody reads one certificate in PEM and nothing else; lines may end in any white
// space.
func pemBody(text string) ([]byte, error) {
	text = strings.Trim(text, breaks)
	inner, begins := strings.CutPrefix(text, pemBegin)
	inner, ends := strings.CutSuffix(inner, pemEnd)
	switch {
	case !begins || !ends:
		return nil, errNoPEM
	case strings.Contains(inner, "-"):
		return nil, errors.New("more than one PEM block, wanted one")
	}
	return decode(withoutBreaks(inner))
}

// breaks are what proxies write for the end of a PEM line.
const breaks = " \t\r\n"

func withoutBreaks(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for line := range strings.FieldsFuncSeq(text, isBreak) {
		b.WriteString(line)
	}
	return b.String()
}

func isBreak(c rune) bool { return strings.ContainsRune(breaks, c) }

var (
	errNotEscaped = errors.New("a percent sign without two hexadecimal digits")
	errNoPEM      = errors.New("no PEM of one certificate")
)

// decode reads standard base64 with padding, in its one spelling.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") { // which Go's decoder would skip
		return nil, errors.New("no base64: it holds a line break")
	}
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("no standard base64 with padding")
	}
	return der, nil
}

// checkDER wants one whole ASN.1 SEQUENCE, in the one form that DER has for its
// length: a hash over it is then a hash over that certificate and nothing beside.
func checkDER(der []byte) error {
	if len(der) < 4 || der[0] != 0x30 {
		return errNoDER
	}
	length, head := int(der[1]), 2
	if length >= 0x80 {
		n := length - 0x80
		if n < 1 || n > 3 || len(der) < 2+n {
			return errNoDER
		}
		length = 0
		for _, b := range der[2 : 2+n] {
			length = length<<8 | int(b)
		}
		if length < 0x80 || n > 1 && length < 1<<(8*(n-1)) {
			return errNoDER // a shorter form would do
		}
		head += n
	}
	if len(der) != head+length {
		return errNoDER
	}
	return nil
}

var errNoDER = errors.New("no DER of one certificate")
