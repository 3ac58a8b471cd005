package httpauth

import (
	"context"
	"net/http"
	"strings"

	"github.com/m2mguard/m2mguard/validator"
)

// Decide is [Route.Admit] for the adapter of a protocol whose requests are no
// *http.Request, such as gRPC: the same decision by the same checks, told to the observer.
// authorization is what stands in the place of the Authorization field, each value as it
// was sent. shown holds the rest: Scheme and Token are filled in here, and URL, which is
// the path alone at first, becomes the public URL where a proof is to be held against it.
// That is Config.PublicURL and the path, of which there must be one, because nothing that
// a request says may choose among several.
//
// Where the failure is not nil, the handler must not run, and the answer says what the
// failure holds. Else the context is the one to go on with, and a nonce in Accepted is for
// the answer. Config's functions of an *http.Request are not asked: what they find is in
// shown.
func (rt *Route) Decide(ctx context.Context, shown *validator.Request, authorization []string) (context.Context, validator.Accepted, *Failure) {
	return rt.pass(ctx, "", shown, rt.middleware.complete(shown, authorization))
}

// Answer is what a request gets that Decide let in and e ends, such as a stream whose token
// has expired since. It is nil if the route only reports, and e is no revocation. The
// observer is not told.
func (rt *Route) Answer(shown *validator.Request, e *validator.Error) *Failure {
	return rt.ended("", shown, e)
}

// Ending is [Route.Answer] for a request that Admit let in. It is made before the handler
// runs, which may change r's header.
func (rt *Route) Ending(r *http.Request) func(*validator.Error) *Failure {
	scheme, _, _ := rt.middleware.token(r)
	host := r.Host
	return func(e *validator.Error) *Failure { return rt.ended(host, &validator.Request{Scheme: scheme}, e) }
}

func (rt *Route) ended(host string, shown *validator.Request, e *validator.Error) *Failure {
	if rt.gate.DangerouslyReportOnly && e.Check() != validator.CheckRevoked {
		return nil
	}
	return rt.failure(host, shown, e, validator.Accepted{})
}

// Denied is [Middleware.Denial] for what Decide decides about.
func (m *Middleware) Denied(ctx context.Context, shown *validator.Request, authorization []string, err error) *Failure {
	m.complete(shown, authorization)
	return m.denied(ctx, shown, err)
}

// complete fills in what follows from the credentials, and says why there are none.
func (m *Middleware) complete(shown *validator.Request, authorization []string) (refusal *validator.Error) {
	path := shown.URL
	shown.URL = ""
	shown.Scheme, shown.Token, refusal = m.authorization(authorization)
	if refusal != nil || !m.proofs() || !strings.EqualFold(shown.Scheme, "DPoP") {
		shown.Proofs = nil
		return refusal
	}
	shown.URL, refusal = m.urls.at("", path, oneReading(path))
	return refusal
}
