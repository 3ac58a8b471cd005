package main

import (
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRoutes(t *testing.T) {
	iss := issuertest.New(t)
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	api := routes(v)
	orders := issuertest.Claims{Scope: "orders:read"}
	tests := []struct {
		name, path, token string
		status            int
	}{
		{"ready", "/ready", "", 200},
		{"let in", "/orders", iss.Token(orders), 200},
		{"another scope", "/orders", iss.Token(issuertest.Claims{Scope: "invoices:read"}), 403},
		{"expired", "/orders", iss.Bad(issuertest.Expired, orders), 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, w := httptest.NewRequest("GET", tt.path, nil), httptest.NewRecorder()
			if tt.token != "" {
				r.Header.Set("Authorization", "Bearer "+tt.token)
			}
			api.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("status %d, wanted %d: %s", w.Code, tt.status, w.Body)
			}
		})
	}
}
