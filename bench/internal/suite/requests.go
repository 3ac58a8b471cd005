package suite

import (
	"net/http"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/bench/internal/request"
)

// Frameworks are the names of those that requests are made through.
var Frameworks = []string{"net/http", "Echo", "Gin"}

// Protected is the name of a framework's subject with m2mguard in it, and
// Auth0Request that of net/http with the one peer that is a middleware.
func Protected(framework string) string { return framework + " + m2mguard" }

// Auth0Request is net/http with the one peer that is a middleware.
const Auth0Request = "net/http + auth0 go-jwt-middleware"

func (s *suite) requests() error {
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
	auth0, err := contender.Auth0Middleware(f)
	if err != nil {
		return err
	}
	raw := f.Good()
	group := []measure.Subject{{Name: Bare, Worker: alone(contender.Bare, f, raw)}}
	for _, framework := range request.Frameworks(v) {
		group = append(group,
			measure.Subject{Name: framework.Name, Worker: request.Worker(framework.Unprotected, raw, http.StatusOK)},
			measure.Subject{Name: Protected(framework.Name), Worker: request.Worker(framework.Protected, raw, http.StatusOK)},
		)
		if framework.Modules != nil {
			s.results.Contenders = append(s.results.Contenders, Contender{
				Name: framework.Name, Modules: framework.Modules,
				Setup: "One route, its adapter as the route's middleware, nothing else.",
			})
		}
	}
	group = append(group, measure.Subject{Name: Auth0Request, Worker: request.Worker(request.Mux(auth0), raw, http.StatusOK)})
	s.results.Requests, err = s.pair("whole requests", group)
	return err
}
