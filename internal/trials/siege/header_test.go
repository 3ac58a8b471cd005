package siege_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// What net/http answers itself, before any middleware.
const (
	tooLarge = "431, by net/http"
	noHTTP   = "400, by net/http"
)

// marker is a word that no answer may echo.
const marker = "EchoMeIfYouCan"

// send writes a request as it is and names the answer, or says what it echoed.
func (a *api) send(request string) string {
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err.Error()
	}
	go func() { _, _ = io.WriteString(conn, request) }() // the server may answer before it has read all
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	if text := fmt.Sprint(resp.Status, resp.Header, string(body)); strings.Contains(text, marker) {
		return "an echo: " + text
	}
	switch {
	case resp.StatusCode == http.StatusRequestHeaderFieldsTooLarge:
		return tooLarge
	case resp.StatusCode == http.StatusBadRequest && resp.Header.Get("WWW-Authenticate") == "":
		return noHTTP
	}
	return kind(resp.StatusCode, resp.Header, string(body))
}

// TestHeadersAsWeapons writes hostile requests onto a socket, byte by byte as
// they stand here. The answer is always one of the documented ones with a
// challenge that parses, or net/http's own, and never holds what was sent.
func TestHeadersAsWeapons(t *testing.T) {
	iss := issuertest.New(t)
	a := listen(t, byKeys(iss, jwks.Config{}))
	good := fresh(iss)
	a.become(good, ok, unavailable)
	for _, tc := range []struct {
		name    string
		headers string // each line ends with CR LF
		want    string
	}{
		{"the good request", "Authorization: Bearer " + good + "\r\n", ok},
		{"names in any case", "aUTHORIZATION: bEARER " + good + "\r\n", ok},
		{"spaces around", "Authorization: \t  Bearer   " + good + " \t \r\n", ok},
		{"no space after the colon", "Authorization:Bearer " + good + "\r\n", ok},
		{"lines that end with LF", "Authorization: Bearer " + good + "\n", ok},
		{"a folded line (RFC 9112 §5.2 lets it become a space)", "Authorization: Bearer\r\n " + good + "\r\n", ok},
		{"a token folded in two", "Authorization: Bearer " + good[:50] + "\r\n " + good[50:] + "\r\n", invalidRequest},

		{"none", "", unauthorized},
		{"empty", "Authorization:\r\n", unauthorized},
		{"another scheme", "Authorization: Basic " + marker + "\r\n", unauthorized},
		{"another header", "Proxy-Authorization: Bearer " + good + "\r\nX-Forwarded-Authorization: Bearer " + good + "\r\n", unauthorized},
		{"folded into the header before it", " Authorization: Bearer " + good + "\r\n", unauthorized},
		{"a cookie", "Cookie: access_token=" + good + "; Authorization=Bearer " + good + "\r\n", unauthorized},

		{"twice", "Authorization: Bearer " + good + "\r\nAuthorization: Bearer " + good + "\r\n", invalidRequest},
		{"twice, in two cases", "Authorization: Bearer " + good + "\r\nAUTHORIZATION: Bearer " + good + "\r\n", invalidRequest},
		{"twice, one of another scheme", "Authorization: Basic dTpw\r\nAuthorization: Bearer " + good + "\r\n", invalidRequest},
		{"twice, one empty", "Authorization:\r\nAuthorization: Bearer " + good + "\r\n", invalidRequest},
		{"a thousand times", strings.Repeat("Authorization: Bearer "+marker+"\r\n", 1000), invalidRequest},
		{"comma-joined", "Authorization: Bearer " + good + ", Bearer " + good + "\r\n", invalidRequest},
		{"comma-joined without spaces", "Authorization: Bearer " + good + ",Bearer," + good + "\r\n", invalidRequest},
		{"two tokens", "Authorization: Bearer " + good + " " + good + "\r\n", invalidRequest},
		{"the scheme alone", "Authorization: Bearer\r\n", invalidRequest},
		{"a slash for the space, which a token may begin with", "Authorization: Bearer/" + good + "\r\n", invalidRequest},
		{"a tab for the space", "Authorization: Bearer\t" + good + "\r\n", invalidRequest},
		{"a tab in the token", "Authorization: Bearer " + good[:50] + "\t" + good[50:] + "\r\n", invalidRequest},
		{"an attempt to close the challenge", `Authorization: Bearer ` + marker + `", error="none", scope="admin` + "\r\n", invalidRequest},
		{"a backslash and a quote", `Authorization: Bearer ` + marker + `\"` + "\r\n", invalidRequest},
		{"bytes beyond ASCII", "Authorization: Bearer " + marker + "\xff\xfe\x80\r\n", invalidRequest},
		{"letters beyond ASCII", "Authorization: Bearer " + marker + "é😀\r\n", invalidRequest},
		{"markup", "Authorization: Bearer <script>" + marker + "</script>\r\n", invalidRequest},

		{"a word", "Authorization: Bearer " + marker + "\r\n", invalidToken},
		{"20 KiB", "Authorization: Bearer " + strings.Repeat(marker, 20<<10/len(marker)) + "\r\n", invalidToken},
		{"900 KiB", "Authorization: Bearer " + strings.Repeat(marker, 900<<10/len(marker)) + "\r\n", invalidToken},
		{"900 KiB of spaces", "Authorization: Bearer" + strings.Repeat(" ", 900<<10) + marker + "\r\n", invalidToken},
		{"900 KiB of another scheme", "Authorization: Basic " + strings.Repeat(marker, 900<<10/len(marker)) + "\r\n", unauthorized},

		{"2 MiB", "Authorization: Bearer " + strings.Repeat(marker, 2<<20/len(marker)) + "\r\n", tooLarge},
		{"2 MiB of small headers", strings.Repeat("X: "+marker+"\r\n", 2<<20/19), tooLarge},
		{"NUL in the token", "Authorization: Bearer " + marker + "\x00\r\n", noHTTP},
		{"BEL in the token", "Authorization: Bearer " + marker + "\x07\r\n", noHTTP},
		{"ESC in the token", "Authorization: Bearer " + marker + "\x1b[2J\r\n", noHTTP},
		{"DEL in the token", "Authorization: Bearer " + marker + "\x7f\r\n", noHTTP},
		{"CR in the token", "Authorization: Bearer " + marker + "\rX: y\r\n", noHTTP},
		{"a space before the colon", "Authorization : Bearer " + good + "\r\n", noHTTP},
		{"no colon", "Authorization Bearer " + good + "\r\n", noHTTP},
		{"NUL in the name", "Authorization\x00: Bearer " + good + "\r\n", noHTTP},
		{"a name beyond ASCII", "Authorizatiön: Bearer " + marker + "\r\n", noHTTP},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := a.send("GET /orders HTTP/1.1\r\nHost: api\r\nConnection: close\r\n" + tc.headers + "\r\n")
			if got != tc.want {
				t.Errorf("answered %s, wanted %s", got, tc.want)
			}
		})
	}
}

// TestTokensOutsideTheHeader: the places that RFC 6750 names beside the header,
// and one that HTTP has, are not looked at.
func TestTokensOutsideTheHeader(t *testing.T) {
	iss := issuertest.New(t)
	a := listen(t, byKeys(iss, jwks.Config{}))
	good := fresh(iss)
	a.become(good, ok, unavailable)
	form := "access_token=" + good
	for name, request := range map[string]string{
		"query":   "GET /orders?" + form + " HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n",
		"form":    fmt.Sprintf("GET /orders HTTP/1.1\r\nHost: api\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(form), form),
		"trailer": "GET /orders HTTP/1.1\r\nHost: api\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n0\r\nAuthorization: Bearer " + good + "\r\n\r\n",
		"address": "GET http://user:" + good + "@api/orders HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n",
	} {
		if got := a.send(request); got != unauthorized {
			t.Errorf("%s: answered %s, wanted %s", name, got, unauthorized)
		}
	}
}

// TestHeadersOverHTTP2: HTTP/2 has its own way of writing headers, and the same
// answers.
func TestHeadersOverHTTP2(t *testing.T) {
	iss := issuertest.New(t)
	a := build(t, byKeys(iss, jwks.Config{}))
	server := httptest.NewUnstartedServer(a.handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	good := fresh(iss)
	for name, tc := range map[string]struct {
		values []string
		want   string
	}{
		"none":         {nil, unauthorized},
		"one":          {[]string{"Bearer " + good}, ok},
		"two":          {[]string{"Bearer " + good, "Bearer " + good}, invalidRequest},
		"comma-joined": {[]string{"Bearer " + good + ", Bearer " + good}, invalidRequest},
		"too long":     {[]string{"Bearer " + strings.Repeat("a", 20<<10)}, invalidToken},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Authorization"] = tc.values
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.ProtoMajor != 2 || resp.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s: %v over %s", name, err, resp.Proto)
		}
		if got := kind(resp.StatusCode, resp.Header, string(body)); got != tc.want {
			t.Errorf("%s: answered %s, wanted %s", name, got, tc.want)
		}
	}
}
