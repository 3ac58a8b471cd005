// Package conformance is the one list of requests that every adapter is asked, and what
// each must answer: same verdict and same reason, whatever the protocol.
//
// An adapter's test fills in a [Driver] and runs the list:
//
//	func TestConformance(t *testing.T) { conformance.Run(t, driver{}) }
//
//	type driver struct{}
//
//	func (driver) Can(q *conformance.Request) bool { return q.Plain() } // nothing of HTTP's own
//
//	func (driver) Serve(t testing.TB, s *conformance.Setup) conformance.API {
//		// an API with s.Routes behind s.Validator, of which each handler says
//		// conformance.Said(ctx); it ends with the test
//	}
//
// An adapter of net/http's kind needs a handler alone: [OverHTTP.Serve] does the rest, and
// [Chain] makes its middleware. One of another protocol says what a proof of possession must name for a route, and asks, over
// a real connection; [Want.Code] has the code of gRPC and Connect for each verdict.
//
// The list is in settings: a validator in some state, with cases in an order that
// matters, because what was seen before is remembered. Each case is asked at each gate
// that the adapter has. What an answer holds beyond verdict and reason (fields, bytes of
// a body, trailers) is for the adapter's own tests, and for [ReadHTTP].
package conformance
