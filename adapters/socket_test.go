package adapters_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/internal/trials/hostile"
)

// answeredFirst lists what net/http answers by itself when it comes over a
// socket: no middleware ever sees it. The number is the status.
func answeredFirst() map[string]int {
	list := map[string]int{
		"token: a megabyte of payload, well signed":    http.StatusRequestHeaderFieldsTooLarge,
		"token: two megabytes of spaces in the middle": http.StatusRequestHeaderFieldsTooLarge,
		"token: NUL after":                             http.StatusBadRequest,
		"token: header: line feed at the end":          http.StatusBadRequest,
		"token: payload: line feed at the end":         http.StatusBadRequest,
		"request: DEL in the token":                    http.StatusBadRequest,
	}
	for _, segment := range []string{"header", "payload", "signature"} {
		list["token: "+segment+": line feed at the beginning"] = http.StatusBadRequest
		for _, c := range []string{"\n", "\r", "\r\n", "\v", "\x00", "\x7f"} {
			list[fmt.Sprintf("token: %s: %q in the middle", segment, c)] = http.StatusBadRequest
		}
	}
	for c := range ' ' {
		if c != '\t' { // a tab is white space, and stays in the value
			list[fmt.Sprintf("request: control character %#02x in the token", c)] = http.StatusBadRequest
		}
	}
	return list
}

// letIn lists what is good over a socket, sorted: what is wrong with it in
// process does not survive there.
var letIn = []string{
	`request: "Bearer T\t"`,                        // white space around a value is no part of it (RFC 9110 §5.5)
	"request: a header of its own after the token", // is one, and nobody reads it
	"token: line break after",                      // ends the field
	"token: signature: line feed at the end",       // ends the field
}

// testOverSocket sends over a socket what net/http may not like, and holds the
// lists against what it kept from the middleware and what became good.
func testOverSocket(t *testing.T, c *hostile.Catalogue) {
	var seen atomic.Int64
	api := apis(newValidator(t, c, hostile.Plain))["net/http"]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		api.ServeHTTP(w, r)
	}))
	defer server.Close()

	values := make(map[string][]string)
	for _, tc := range c.Cases {
		if tc.Config == hostile.Plain {
			values["token: "+tc.Name] = []string{"Bearer " + tc.Token}
		}
	}
	for _, tc := range c.Requests {
		if list := tc.Header["Authorization"]; list != nil {
			values["request: "+tc.Name] = list
		}
	}
	maps.DeleteFunc(values, func(_ string, list []string) bool {
		all := strings.Join(list, "")
		return len(all) < 1<<16 && strings.IndexFunc(all, func(r rune) bool { return r < ' ' || r > '~' }) < 0
	})
	got, let := make(map[string]int), []string{}
	for name, list := range values {
		before := seen.Load()
		if status := overSocket(t, server.Listener.Addr().String(), list); seen.Load() == before {
			got[name] = status
		} else if status == http.StatusOK {
			let = append(let, name)
		}
	}
	if d := cmp.Diff(answeredFirst(), got); d != "" {
		t.Errorf("answered by net/http itself: %s", d)
	}
	slices.Sort(let)
	if d := cmp.Diff(letIn, let); d != "" {
		t.Errorf("let in: %s", d)
	}
}

// overSocket sends Authorization headers exactly as they are, and returns the
// status of the first answer.
func overSocket(t *testing.T, address string, list []string) (status int) {
	t.Helper()
	var request strings.Builder
	fmt.Fprintf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", scoped, address)
	for _, value := range list {
		fmt.Fprintf(&request, "Authorization: %s\r\n", value)
	}
	request.WriteString("\r\n")
	var err error
	for range 5 { // where the server stops reading, a reset may overtake its answer
		if status, err = exchange(address, request.String()); err == nil {
			return status
		}
	}
	t.Fatal(err)
	return 0
}

func exchange(address, request string) (status int, err error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, request) // the server may have had enough
	}()
	defer func() { _ = conn.Close(); <-sent }()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}
