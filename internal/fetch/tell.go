package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// errUnreadable stands for an error that quotes the other side.
var errUnreadable = errors.New("no HTTP answer could be read")

// tellable is err as it may be told to whoever reads logs. What the other side sent is not
// told, because it may be an echo of our request; what its certificate says came before
// the request, and is told in one line, whatever was written into it.
func tellable(err error) error {
	if quotesPeer(err) {
		return errUnreadable
	}
	return oneLine{err}
}

// quotesPeer reports whether net/http put what the other side sent into err.
func quotesPeer(err error) bool {
	if _, certificate := errors.AsType[*tls.CertificateVerificationError](err); certificate {
		return false
	}
	_, protocol := errors.AsType[textproto.ProtocolError](err)
	return protocol || strings.Contains(err.Error(), `"`)
}

// connected is told before net/http makes an error of a proxy's own words, which may be
// an echo of the credentials for it.
func connected(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy answers CONNECT with status %d", res.StatusCode)
	}
	return nil
}

// oneLine is an error whose text is bounded, and holds no line end or escape of
// another's.
type oneLine struct{ err error }

func (o oneLine) Error() string { return quote.Line(o.err.Error()) }

func (o oneLine) Unwrap() error { return o.err }
