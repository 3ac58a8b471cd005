package quickstart

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestServe(t *testing.T) {
	d := startDemo(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if err := serve(ctx, d, loopback(false, 0), Screen{&out, false}); err != nil {
		t.Fatal(err)
	}
	fits(t, out.String())
	if _, end, _ := strings.Cut(out.String(), "Ctrl-C"); !strings.Contains(end, "standard error") {
		t.Errorf("it does not say that a log follows, and where: %q", end)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("colours")
	}
	pasted := 0
	for _, p := range pastes(d, "http://127.0.0.1:8404") {
		for _, line := range p.lines {
			if pasted++; !strings.HasPrefix(line, "OPERATOR=") && !strings.Contains(out.String(), "\n  "+line+"\n") {
				t.Errorf("it does not print %s", line)
			}
		}
	}
	if pasted < 15 {
		t.Errorf("%d lines to paste", pasted)
	}
	for name, tc := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"a shell":              {func(*http.Request) {}, http.StatusOK},
		"a page":               {func(r *http.Request) { r.Header.Set("Origin", "https://shop.example") }, http.StatusForbidden},
		"a page that was read": {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") }, http.StatusForbidden},
		"another name":         {func(r *http.Request) { r.Host = "shop.example:8400" }, http.StatusForbidden},
	} {
		for _, asked := range []string{"GET /jwks", "GET /.well-known/openid-configuration", "POST /token", "POST /introspect", "POST /revoke"} {
			method, path, _ := strings.Cut(asked, " ")
			r, err := http.NewRequestWithContext(t.Context(), method, d.issuer.URL()+path, strings.NewReader("grant_type=client_credentials&token=none"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth(jwt.clientID, clientSecret)
			tc.change(r)
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != tc.status {
				t.Errorf("the issuer answers %s that sends %s with %d, wanted %d", name, asked, resp.StatusCode, tc.status)
			}
		}
	}
	if err := serve(ctx, d, "192.0.2.1:1", Screen{&out, false}); err == nil {
		t.Error("it listens at somebody else's address")
	}
}

// TestServeLogs: standard error has what an operator reads, and no flood of it.
func TestServeLogs(t *testing.T) {
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var log bytes.Buffer // what is asked ends before it is read
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, []string{"-serve"}, w, &log, false, []Framework{NetHTTP})
		w.Close()
		ended <- code
	}()
	told := bufio.NewScanner(r)
	var issuer, api, operator string
	for told.Scan() && !strings.Contains(told.Text(), "Ctrl-C") {
		if rest, found := strings.CutPrefix(strings.TrimSpace(told.Text()), "ISSUER="); found {
			issuer, api, _ = strings.Cut(rest, " API=")
		} else if rest, found := strings.CutPrefix(strings.TrimSpace(told.Text()), "OPERATOR="); found {
			operator, _, _ = strings.Cut(rest, " ")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	ask := func(args ...string) string {
		var answer bytes.Buffer
		if code := curl(args, &answer, t.Output()); code != 0 {
			t.Errorf("%q: exit code %d", args, code)
		}
		return answer.String()
	}
	for range 2 { // with a key each, and the same refusal
		answer := ask("-su", jwt.clientID+":"+clientSecret, "-d", "grant_type=client_credentials", issuer+"/token")
		_, token, _ := strings.Cut(answer, `"access_token":"`)
		token, _, _ = strings.Cut(token, `"`)
		ask("-iH", "Authorization: Bearer "+token, "-X", "POST", api+"/orders")
		ask("-X", "POST", operator+"/rotate")
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
	for level, want := range map[string]int{"DEBUG": 0, "INFO": 1, "WARN": 1} { // the other key, the first refusal
		if n := strings.Count(log.String(), "level="+level); n != want {
			t.Errorf("%d lines at %s, wanted %d: %s", n, level, want, &log)
		}
	}
}

// Each line does what it is said to do when a shell gets it as it is printed: with a
// curl that this test brings, and with the machine's own where there is one.
func TestPastes(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "curl")); err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{"the test's curl": bin + string(os.PathListSeparator) + os.Getenv("PATH")}
	if _, err := exec.LookPath("curl"); err == nil {
		paths["the machine's curl"] = os.Getenv("PATH")
	}
	for name, path := range paths {
		t.Run(name, func(t *testing.T) { testPastes(t, sh, path) })
	}
}

var printed = regexp.MustCompile(`(?m)^  (.*)\n`)

func testPastes(t *testing.T, sh, path string) {
	d := startDemo(t)
	// What serve prints is read while it serves.
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error, 1)
	go func() {
		err := serve(ctx, d, loopback(false, 0), Screen{w, false})
		w.Close()
		served <- err
	}()
	var text strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(text.String(), "Ctrl-C"); {
		n, err := r.Read(buffer)
		text.Write(buffer[:n])
		if err != nil {
			t.Fatal(err)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()

	script := ""
	for _, m := range printed.FindAllStringSubmatch(text.String(), -1) {
		script += m[1] + "\necho\n" // the bodies do not end with a line
	}
	shell := exec.CommandContext(t.Context(), sh)
	shell.Env = append(os.Environ(), "PATH="+path)
	shell.Stdin = strings.NewReader(script)
	var stdout, stderr bytes.Buffer
	shell.Stdout, shell.Stderr = &stdout, &stderr
	if err := shell.Run(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}

	var got []string
	for line := range strings.Lines(stdout.String()) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(line, "HTTP/1.1 ") {
			got = append(got, fields[1])
		} else if strings.HasPrefix(line, "The issuer signs") {
			got = append(got, "rotated")
		} else if strings.Contains(line, "instances that were told: 1") {
			got = append(got, strings.TrimSuffix(fields[2], ";"))
		}
	}
	want := []string{"401", "200", "200", "403", "rotated", "200", "401", "blocked", "401", "let", "200"}
	if !slices.Equal(got, want) {
		t.Errorf("the shell saw %v, wanted %v: %s%s", got, want, &stdout, &stderr)
	}
}

// curl is as much of that program as the printed lines need.
func curl(args []string, stdout, stderr io.Writer) int {
	method, user, body, target, include := http.MethodGet, "", "", "", false
	header := http.Header{}
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") {
			target = args[i]
			continue
		}
		for _, option := range args[i][1:] {
			value := ""
			if strings.ContainsRune("udHX", option) {
				i++
				value = args[i]
			}
			switch option {
			case 's':
			case 'i':
				include = true
			case 'u':
				user = value
			case 'd':
				method, body = http.MethodPost, value
				header.Set("Content-Type", "application/x-www-form-urlencoded")
			case 'H':
				name, field, _ := strings.Cut(value, ": ")
				header.Set(name, field)
			case 'X':
				method = value
			default:
				fmt.Fprintf(stderr, "curl: option -%c\n", option)
				return 2
			}
		}
	}
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		fmt.Fprintln(stderr, "curl:", err)
		return 3
	}
	r.Header = header
	if name, secret, ok := strings.Cut(user, ":"); ok {
		r.SetBasicAuth(name, secret)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Fprintln(stderr, "curl:", err)
		return 7
	}
	defer resp.Body.Close()
	if include {
		fmt.Fprintf(stdout, "%s %s\r\n", resp.Proto, resp.Status)
		_ = resp.Header.Write(stdout)
		fmt.Fprint(stdout, "\r\n")
	}
	_, _ = io.Copy(stdout, resp.Body)
	return 0
}
