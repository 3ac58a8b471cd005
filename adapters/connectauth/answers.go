package connectauth

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
)

// Domain is that of each google.rpc.ErrorInfo of this package, as of grpcauth's.
const Domain = "m2mguard"

// call is the context of a request that was let in, for Deny.
type call struct {
	context.Context
	request *http.Request
	name    string
	body    unaryBody // of a unary call
	out     writer
}

type callKey struct{}

func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// Deny refuses a call from within its handler, which returns what Deny returns:
// permission_denied, or unavailable if err matches validator.ErrUnavailable or a context
// has ended. What err says goes to the observer, never to the client. A nil err denies,
// too.
//
//	return nil, auth.Deny(ctx, errors.New("the order is another tenant's"))
//
// Protect writes the answer, once the handler has returned, and in a stream after what was
// sent before: handlers and interceptors cannot change it, and which version of connect-go
// they are of makes no difference. Of a handler that is not behind Protect, or public, the
// observer hears no more than the reason, and the answer is what connect-go 1 makes of it.
func (a *Auth) Deny(ctx context.Context, err error) error {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return failed(a.inner.Denial((&http.Request{URL: new(url.URL)}).WithContext(ctx), "", err))
	}
	f := a.inner.Denial(c.request.WithContext(ctx), c.name, err)
	c.out.denied.CompareAndSwap(nil, f)
	return failed(f)
}

// refuse answers a call that was not let in, and reads nothing of it.
func (a *Auth) refuse(w http.ResponseWriter, r *http.Request, f *httpauth.Failure) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if f.RetryAfter > 0 { // for what knows HTTP alone
		h.Set("Retry-After", strconv.FormatInt(int64(f.RetryAfter/time.Second), 10))
	}
	e := failed(f)
	if protocolOf(r) == grpc { // net/http lets no challenge into trailers (RFC 9110 §6.5.1)
		maps.Copy(h, e.Meta())
		clear(e.Meta())
	}
	_ = a.errors.Write(w, r, e) // the client may have gone
}

// failed is a failure as an error of Connect's.
func failed(f *httpauth.Failure) *connect.Error {
	e := connect.NewError(code(f.Status), errors.New(f.Body.Description))
	if f.Challenge != "" {
		e.Meta().Set("Www-Authenticate", f.Challenge)
	}
	if f.Nonce != "" {
		e.Meta().Set("Dpop-Nonce", f.Nonce)
	}
	info := &errdetails.ErrorInfo{Reason: strings.ToUpper(f.Body.Error), Domain: Domain}
	if needs := f.Err.Scope(); needs != "" {
		info.Metadata = map[string]string{"scope": needs}
	}
	details := []proto.Message{info}
	if f.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(f.RetryAfter)})
	}
	for _, message := range details {
		if detail, err := connect.NewErrorDetail(message); err == nil { // which these always allow
			e.AddDetail(detail)
		}
	}
	return e
}

// code is what an HTTP status is in Connect. One that is not known lets nobody in either.
func code(status int) connect.Code { return cmp.Or(byStatus[status], connect.CodeUnavailable) }

var byStatus = map[int]connect.Code{
	http.StatusBadRequest:         connect.CodeInvalidArgument,
	http.StatusUnauthorized:       connect.CodeUnauthenticated,
	http.StatusForbidden:          connect.CodePermissionDenied,
	http.StatusMisdirectedRequest: connect.CodeInvalidArgument,
	http.StatusTooManyRequests:    connect.CodeResourceExhausted,
	http.StatusServiceUnavailable: connect.CodeUnavailable,
}
