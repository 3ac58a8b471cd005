package token

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// Told is what kept a request from its answer, as it may be shown: without the query of
// its URL, which may hold a key, and without what the other side sent, which may be an
// echo of the request. A certificate came before that.
func Told(req *http.Request, err error) error {
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err
	}
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, protocol := errors.AsType[textproto.ProtocolError](err)
	if !certificate && (protocol || strings.Contains(err.Error(), `"`)) {
		err = errors.New("no HTTP answer could be read")
	}
	return fmt.Errorf("%s %s: %w", req.Method, bare(req.URL), err)
}
