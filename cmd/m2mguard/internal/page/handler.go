package page

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/term"
	"github.com/m2mguard/m2mguard/validator"
)

const (
	// maxBody bounds what is read of a form, in bytes: a token of 2 MiB, which is more
	// than Config.MaxTokenBytes can be, and the rest.
	maxBody = 2<<20 + 128<<10
	// maxUnderWay is how many requests may be under way: each may cost two signatures,
	// and a person has one.
	maxUnderWay = 4
)

// handler answers for the page.
type handler struct {
	Config
	host, path string // of the printed address
	page       []byte
	policy     string // Content-Security-Policy
	underWay   chan struct{}
}

func newHandler(c Config, host, path string) *handler {
	h := &handler{Config: c, host: host, path: path, underWay: make(chan struct{}, maxUnderWay)}
	h.page, h.policy = render(c)
	return h
}

// ServeHTTP refuses first, and says nothing of the page to whoever has not its path.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.seal(w.Header())
	for _, g := range guards {
		if !g.ok(h, r) {
			refuse(w, http.StatusForbidden, g.why)
			return
		}
	}
	local, below := h.below(r)
	switch {
	case !below || r.URL.RawQuery != "" || local != "" && local != "explain":
		refuse(w, http.StatusNotFound, "there is nothing here: open the address that was printed")
		return
	case local == "" && !reads(r):
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "the page is read by GET")
		return
	case local == "explain" && r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST")
		refuse(w, http.StatusMethodNotAllowed, "a token comes by POST alone")
		return
	}
	select {
	case h.underWay <- struct{}{}:
		defer func() { <-h.underWay }()
	default:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "too many requests are under way: try again")
		return
	}
	if local == "" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(h.page) // who asked may have gone
		return
	}
	h.explain(w, r)
}

// below is what of the request's path is below the page's own, which is compared in
// constant time.
func (h *handler) below(r *http.Request) (string, bool) {
	path := r.URL.EscapedPath()
	if len(path) < len(h.path) || subtle.ConstantTimeCompare([]byte(path[:len(h.path)]), []byte(h.path)) == 0 {
		return "", false
	}
	return path[len(h.path):], true
}

// seal has a browser keep no answer, show it in no frame, and run and fetch nothing but
// the page's own.
func (h *handler) seal(header http.Header) {
	for name, value := range map[string]string{
		"Content-Security-Policy":      h.policy,
		"Cache-Control":                "no-store",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"X-DNS-Prefetch-Control":       "off",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Embedder-Policy": "require-corp",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), clipboard-read=(), geolocation=(), microphone=()",
	} {
		header.Set(name, value)
	}
}

// refuse writes one of our own sentences.
func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, why+"\n")
}

// answer is what the script gets.
type answer struct {
	Faults   []Fault `json:"faults,omitempty"`
	Verdict  string  `json:"verdict,omitempty"`
	Accepted bool    `json:"accepted"`
	Proven   bool    `json:"proven"`
	Issuer   string  `json:"issuer,omitempty"`
	Steps    []step  `json:"steps,omitempty"`
}

// step is one line of the table.
type step struct {
	Name     string `json:"name"`
	Outcome  string `json:"outcome"`
	Found    string `json:"found,omitempty"` // or why it was not reached
	Wanted   string `json:"wanted,omitempty"`
	Fix      string `json:"fix,omitempty"`
	Unproven bool   `json:"unproven,omitempty"`
}

// explain answers what was filled in.
func (h *handler) explain(w http.ResponseWriter, r *http.Request) {
	form, status, why := read(w, r)
	if status != http.StatusOK {
		refuse(w, status, why)
		return
	}
	form.Offline = form.Offline || h.Offline
	ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
	defer cancel()
	e, faults := h.Explain(ctx, form)
	a := answer{Faults: faults}
	if len(faults) == 0 {
		a = show(e)
	}
	text, err := json.Marshal(a)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "the checks cannot be written")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if len(faults) > 0 {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	_, _ = w.Write(text)
}

// read reads a form strictly. Its words never hold what was sent.
func read(w http.ResponseWriter, r *http.Request) (f Form, status int, why string) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" { // which no form of another site can send
		return f, http.StatusUnsupportedMediaType, "a form comes as application/json"
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return f, http.StatusRequestEntityTooLarge, "that is more than 2 MiB, and no token"
	}
	if err != nil {
		return f, http.StatusBadRequest, "the form ended too early"
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&f)
	if _, rest := decoder.Token(); err != nil || rest != io.EOF {
		return Form{}, http.StatusBadRequest, "the form is not what this page sends"
	}
	return f, http.StatusOK, ""
}

// show is an explanation as the page shows it. What others wrote is on one line each,
// without what hides or turns text.
func show(e validator.Explanation) answer {
	verdict, _, _ := strings.Cut(e.String(), "\n")
	a := answer{Verdict: term.Clean(verdict), Accepted: e.Accepted, Proven: e.Proven, Issuer: term.Clean(e.Issuer)}
	for _, s := range e.Steps {
		line := step{Name: term.Clean(s.Name), Outcome: s.Outcome(), Found: term.Clean(s.Found), Unproven: s.Unproven}
		switch {
		case s.NotReached != "":
			line.Found = term.Clean(s.NotReached)
		case s.Err != nil:
			line.Wanted, line.Fix = term.Clean(s.Wanted), term.Clean(s.Fix)
		}
		a.Steps = append(a.Steps, line)
	}
	return a
}
