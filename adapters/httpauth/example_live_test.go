package httpauth_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// An event stream that ends with its token: here a client is revoked while it reads.
func ExampleMiddleware_RequireLive() {
	iss, err := issuertest.Start() // stands for your authorization server
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	list, err := revocation.New(revocation.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer list.Close()
	list.Current(time.Now()) // its feed says that it is up to date
	v, err := validator.New(validator.Config{
		Issuers:     []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		Revocations: list,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	ended := make(chan error, 1)
	events := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		news := time.NewTicker(time.Millisecond) // of your own
		defer news.Stop()
		for {
			select {
			case <-news.C:
				_, _ = fmt.Fprint(w, "data: an order\n\n")
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				ended <- context.Cause(r.Context())
				return // the client comes back, and is told why by the gate
			}
		}
	}
	auth := httpauth.New(v, nil)
	mux := http.NewServeMux()
	mux.Handle("GET /orders/events", auth.RequireLive(scopes.All("orders:read"))(http.HandlerFunc(events)))
	api := httptest.NewServer(mux)
	defer api.Close()

	r, err := http.NewRequest("GET", api.URL+"/orders/events", nil)
	if err != nil {
		log.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{ClientID: "orders-batch", Scope: "orders:read"}))
	stream, err := api.Client().Do(r)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = stream.Body.Close() }()
	lines := bufio.NewScanner(stream.Body)
	lines.Scan()
	fmt.Println(lines.Text())

	block, err := list.Record(revocation.Block(revocation.Client(iss.URL(), "orders-batch")), 1)
	if err != nil {
		log.Fatal(err)
	}
	if err := list.Merge(block); err != nil { // as its feed does
		log.Fatal(err)
	}
	for lines.Scan() { // until the stream ends
	}
	fmt.Println(<-ended)
	again, err := api.Client().Do(r)
	if err != nil {
		log.Fatal(err)
	}
	_ = again.Body.Close()
	fmt.Println(again.StatusCode)
	// Output:
	// data: an order
	// validator: invalid_token: revoked: an entry for its client stands until it is lifted (Config.Revocations; the client needs a new token, or that its entry is lifted)
	// 401
}
