// Command unguarded is a service with one route that anybody may ask.
package main

import (
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("GET /orders", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"orders":[]}`)) })
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
