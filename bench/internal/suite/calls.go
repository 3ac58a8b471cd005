package suite

import (
	"google.golang.org/grpc"

	"github.com/m2mguard/m2mguard/bench/internal/connectcalls"
	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/bench/internal/request"
	"github.com/m2mguard/m2mguard/validator"
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
	if err := s.grpcCalls(f, v); err != nil {
		return err
	}
	return s.connectCalls(f, v)
}

func (s *suite) grpcCalls(f *fixture.Fixture, v *validator.Validator) error {
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

func (s *suite) connectCalls(f *fixture.Fixture, v *validator.Validator) error {
	guards, err := connectcalls.Guards(f, v)
	if err != nil {
		return err
	}
	var group []measure.Subject
	for _, g := range guards {
		call, end := g.Serve()
		s.later(end)
		token := f.Good()
		group = append(group, measure.Subject{Name: g.Name, Worker: measure.Each(func() error { return call(token) })})
	}
	s.results.Contenders = append(s.results.Contenders, Contender{
		Name: "Connect", Modules: connectcalls.Modules,
		Setup: "One unary method over one connection of HTTP/2 with TLS on loopback; authn.NewMiddleware with the jwt.Parser of golang-jwt + keyfunc.",
	})
	s.results.ConnectCalls, err = s.pair("Connect calls", group)
	return err
}
