package suite

import (
	"net/http"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/bench/internal/request"
	"github.com/m2mguard/m2mguard/bench/internal/socket"
	"github.com/m2mguard/m2mguard/validator"
)

// TokensInTurn is how many tokens there are where there is more than one: as many clients
// as a busy API has at a time.
const TokensInTurn = 500

// socketBatch is how many times longer a batch is than elsewhere: the scheduler has a hand
// in what happens between sockets.
const socketBatch = 4

// Sockets are requests over connections: parties in the order of the report, with one
// token and with TokensInTurn of them.
type Sockets struct {
	One, Many measure.Results
}

// Unguarded is the name of a framework's server without a guard.
func Unguarded(framework string) string { return framework + ", unguarded" }

// EchoJWT is Echo with its makers' own middleware.
const EchoJWT = "Echo + echo-jwt + keyfunc"

// server is one that answers requests.
type server struct {
	name    string
	handler http.Handler
}

func (s *suite) sockets() error {
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
	list, err := s.servers(f, v)
	if err != nil {
		return err
	}
	tokens := f.Distinct(min(TokensInTurn, s.Tokens))
	var one, many []measure.Subject
	for _, each := range list {
		server, err := socket.Serve(each.handler, request.Path, request.Body)
		if err != nil {
			return err
		}
		s.later(server.Close)
		one = append(one, server.Subject(each.name, tokens[:1]))
		many = append(many, server.Subject(each.name, tokens))
	}
	o := s.Options.Options
	o.Batch *= socketBatch
	r := &s.results.Sockets
	s.Log("requests through a socket: %d servers", len(list))
	if r.One, err = measure.Run(one, measure.All, o); err != nil {
		return err
	}
	r.Many, err = measure.Run(many, measure.All, o)
	return err
}

// servers are those of net/http and Echo, each without a guard and with m2mguard, and with
// whoever else guards it.
func (s *suite) servers(f *fixture.Fixture, v *validator.Validator) ([]server, error) {
	var list []server
	guarded := func(framework request.Framework) {
		list = append(list,
			server{Unguarded(framework.Name), framework.Unprotected},
			server{Protected(framework.Name), framework.Protected})
	}
	frameworks := request.Frameworks(v)
	guarded(frameworks[0])
	peers, err := s.peers(f)
	if err != nil {
		return nil, err
	}
	for _, p := range peers {
		guard := p.Middleware
		if p.Name == contender.Auth0 { // which is one
			if guard, err = contender.Auth0Middleware(f); err != nil {
				return nil, err
			}
		}
		list = append(list, server{frameworks[0].Name + " + " + p.Name, request.Mux(guard)})
	}
	guarded(frameworks[1])
	echo, err := contender.EchoJWT(f)
	if err != nil {
		return nil, err
	}
	s.results.Contenders = append(s.results.Contenders, Contender{
		Name: "echo-jwt + keyfunc", Modules: []string{"github.com/labstack/echo-jwt/v4", "github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3"},
		Setup: "echojwt.Config with a ParseTokenFunc that calls the jwt.Parser of golang-jwt + keyfunc and looks at the scope, as the default one checks neither issuer nor audience.",
	})
	return append(list, server{EchoJWT, request.NewEcho(echo)}), nil
}

// FastestGuard is the peer of net/http that lets most requests through.
func FastestGuard(group measure.Results) measure.Result {
	own := []string{Unguarded("net/http"), Protected("net/http"), Unguarded("Echo"), Protected("Echo"), EchoJWT}
	return fastest(group, own)
}
