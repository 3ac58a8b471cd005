package grpcauth

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator"
)

// Domain is that of each google.rpc.ErrorInfo of this package.
const Domain = "m2mguard"

// Deny refuses a call from within its handler, which returns what Deny returns:
// PERMISSION_DENIED, or UNAVAILABLE if err matches validator.ErrUnavailable or a context
// has ended. What err says goes to the observer, never to the client. A nil err denies,
// too.
//
//	return nil, auth.Deny(ctx, errors.New("the order is another tenant's"))
func (a *Auth) Deny(ctx context.Context, err error) error {
	name, _ := grpc.Method(ctx)
	_, shown, authorization := a.shown(ctx, name)
	if _, listed := a.methods[name]; !listed {
		shown.Route = "" // of names that a client made up there is no end
	}
	return answer(call{ctx}, a.inner.Denied(ctx, shown, authorization, err))
}

// metadataOf is where a call's answer takes metadata.
type metadataOf interface {
	SetHeader(metadata.MD) error
	SetTrailer(metadata.MD)
}

// call is one by its context.
type call struct{ ctx context.Context }

var (
	_ metadataOf = call{}
	_ metadataOf = grpc.ServerStream(nil)
)

func (c call) SetHeader(md metadata.MD) error { return grpc.SetHeader(c.ctx, md) }
func (c call) SetTrailer(md metadata.MD)      { _ = grpc.SetTrailer(c.ctx, md) } // which fails without a server

// refusal is a status for clients, and why for interceptors before this one, which find
// the *validator.Error with errors.As.
type refusal struct {
	status *status.Status
	reason *validator.Error
}

var _ interface{ GRPCStatus() *status.Status } = (*refusal)(nil)

// Error says what the client reads, in case somebody hands it on.
func (r *refusal) Error() string              { return r.status.Err().Error() }
func (r *refusal) Unwrap() error              { return r.reason }
func (r *refusal) GRPCStatus() *status.Status { return r.status }

// answer sets the metadata of a failure, and returns its status.
func answer(to metadataOf, f *httpauth.Failure) error {
	md := make(metadata.MD, 2)
	if f.Challenge != "" {
		md.Set("www-authenticate", f.Challenge)
	}
	if f.Nonce != "" {
		md.Set("dpop-nonce", f.Nonce)
	}
	if len(md) > 0 && to.SetHeader(md) != nil {
		to.SetTrailer(md) // the header has gone out
	}
	info := &errdetails.ErrorInfo{Reason: strings.ToUpper(f.Body.Error), Domain: Domain}
	if needs := f.Err.Scope(); needs != "" {
		info.Metadata = map[string]string{"scope": needs}
	}
	details := []protoadapt.MessageV1{info}
	if f.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(f.RetryAfter)})
	}
	st := status.New(code(f.Status), f.Body.Description)
	if detailed, err := st.WithDetails(details...); err == nil { // which these always allow
		st = detailed
	}
	return &refusal{st, f.Err}
}

// code is what an HTTP status is in gRPC. One that is not known lets nobody in either.
func code(httpStatus int) codes.Code { return cmp.Or(byStatus[httpStatus], codes.Unavailable) }

var byStatus = map[int]codes.Code{
	http.StatusBadRequest:         codes.InvalidArgument,
	http.StatusUnauthorized:       codes.Unauthenticated,
	http.StatusForbidden:          codes.PermissionDenied,
	http.StatusTooManyRequests:    codes.ResourceExhausted,
	http.StatusServiceUnavailable: codes.Unavailable,
}
