package suite

import (
	"google.golang.org/grpc"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/bench/internal/request"
)

// Calls are the names of those who guard a gRPC server; the first is nobody.
var Calls = []string{"gRPC", "gRPC + m2mguard", "gRPC + auth0 go-jwt-middleware"}

// calls are over a real connection, client and all, with a token that was seen before.
func (s *suite) calls() error {
	defer s.tidy()
	f, err := s.fixture("RS256")
	if err != nil {
		return err
	}
	v, err := contender.NewValidator(f, nil)
	if err != nil {
		return err
	}
	s.later(v.Close)
	auth0, err := contender.Auth0Interceptor(f)
	if err != nil {
		return err
	}
	var group []measure.Subject
	for n, guard := range []grpc.UnaryServerInterceptor{nil, request.Guarded(v), auth0} {
		api, err := request.ServeGRPC(guard)
		if err != nil {
			return err
		}
		s.later(api.Close)
		group = append(group, measure.Subject{Name: Calls[n], Worker: api.Worker(f.Good())})
	}
	s.results.Contenders = append(s.results.Contenders, Contender{
		Name: "gRPC", Modules: []string{request.GRPCModule}, Setup: "One method over one connection on loopback without TLS, the interceptor and nothing else.",
	})
	s.results.Calls, err = s.pair("gRPC calls", group)
	return err
}
