package request_test

import (
	"log/slog"
	"net/http"
	"os"
	"testing"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/bench/internal/request"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) {
	slog.SetLogLoggerLevel(slog.LevelWarn) // key sets are fetched and change all the time
	os.Exit(m.Run())
}

func newFixture(t testing.TB) (*fixture.Fixture, *validator.Validator) {
	t.Helper()
	f, err := fixture.New("RS256")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	v, err := contender.NewValidator(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return f, v
}

func TestProtectedRoutesAreProtected(t *testing.T) {
	f, v := newFixture(t)
	auth0, err := contender.Auth0Middleware(f)
	if err != nil {
		t.Fatal(err)
	}
	echoJWT, err := contender.EchoJWT(f)
	if err != nil {
		t.Fatal(err)
	}
	frameworks := append(request.Frameworks(v),
		request.Framework{Name: "auth0", Unprotected: request.Mux(nil), Protected: request.Mux(auth0)},
		request.Framework{Name: "echo-jwt", Unprotected: request.NewEcho(), Protected: request.NewEcho(echoJWT)},
	)
	peers, err := contender.Peers(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		t.Cleanup(p.Close)
		frameworks = append(frameworks, request.Framework{Name: p.Name, Unprotected: request.Mux(nil), Protected: request.Mux(p.Middleware)})
	}
	good := f.Good()
	for _, framework := range frameworks {
		t.Run(framework.Name, func(t *testing.T) {
			expect(t, framework.Unprotected, "", http.StatusOK)
			expect(t, framework.Protected, good, http.StatusOK)
			expect(t, framework.Protected, good, http.StatusOK)
			expect(t, framework.Protected, f.Bad(issuertest.Expired, f.Claims()), http.StatusUnauthorized)
			expect(t, framework.Protected, f.Bad(issuertest.Tampered, f.Claims()), http.StatusUnauthorized)
			expect(t, framework.Protected, f.Bad(issuertest.WrongAudience, f.Claims()), http.StatusUnauthorized)
			expect(t, framework.Protected, "", http.StatusUnauthorized)
			scope := http.StatusForbidden
			if framework.Name == "auth0" || framework.Name == "echo-jwt" { // where the scope is part of the token's validity
				scope = http.StatusUnauthorized
			}
			expect(t, framework.Protected, f.Token(issuertest.Claims{Algorithm: f.Algorithm, Scope: "orders:write"}), scope)
		})
	}
}

func expect(t *testing.T, h http.Handler, raw string, status int) {
	t.Helper()
	if err := request.Worker(h, raw, status)()(0); err != nil {
		t.Error(err)
	}
}

func BenchmarkRequest(b *testing.B) {
	f, v := newFixture(b)
	raw := f.Good()
	for _, framework := range request.Frameworks(v) {
		for name, h := range map[string]http.Handler{"unprotected": framework.Unprotected, "protected": framework.Protected} {
			b.Run(framework.Name+"/"+name, func(b *testing.B) {
				do := request.Worker(h, raw, http.StatusOK)()
				b.ReportAllocs()
				for b.Loop() {
					if err := do(0); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
