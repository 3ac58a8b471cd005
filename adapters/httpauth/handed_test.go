package httpauth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestFilesOfForms are removed when the request has been answered, behind gates, too.
func TestFilesOfForms(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	iss := issuertest.New(t)
	files := func() int {
		left, err := filepath.Glob(filepath.Join(dir, "multipart-*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(left)
	}
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	file, err := m.CreateFormFile("file", "file")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.Write(make([]byte, 11<<20))
	_ = m.Close()

	auth := httpauth.New(newValidator(t, iss), nil)
	gate := auth.Require(scopes.AnyToken())
	api := httptest.NewServer(gate(gate(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil || files() != 1 {
			t.Errorf("%d files: %v", files(), err)
		}
	}))))
	r, err := http.NewRequestWithContext(t.Context(), "POST", api.URL, &form)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", m.FormDataContentType())
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{}))
	res, err := api.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	api.Close() // waits for what the server does after the answer
	if res.StatusCode != http.StatusOK || files() != 0 {
		t.Errorf("status %d, and %d files are left", res.StatusCode, files())
	}
}

type panics struct{ slog.Handler }

func (panics) Handle(context.Context, slog.Record) error { panic("a log that is closed") }

// TestReportOnlyLineHarmsNobody: a log's handler that panics ends no program.
func TestReportOnlyLineHarmsNobody(t *testing.T) {
	before, writer, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(panics{before.Handler()})) // which takes package log along
	t.Cleanup(func() {
		slog.SetDefault(before)
		log.SetOutput(writer)
		log.SetFlags(flags)
	})
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		httpauth.New(v, nil).DangerouslyReportOnly(scopes.AnyToken())
		time.Sleep(time.Minute)
	})
}

// TestDenyBesideAnotherBody: what a handler had set for its own is not about the
// refusal.
func TestDenyBesideAnotherBody(t *testing.T) {
	iss := issuertest.New(t)
	auth := httpauth.New(newValidator(t, iss), nil)
	api := httptest.NewServer(auth.Require(scopes.AnyToken())(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{"Content-Length": "2", "Content-Encoding": "gzip", "ETag": `"1"`, "Last-Modified": "Mon, 02 Jan 2006 15:04:05 GMT"} {
			w.Header().Set(name, value)
		}
		auth.Deny(w, r, errors.New("another tenant's"))
	})))
	defer api.Close()
	r, err := http.NewRequestWithContext(t.Context(), "GET", api.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{}))
	res, err := api.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusForbidden || !strings.Contains(string(body), "access_denied") ||
		res.Header.Get("Content-Encoding")+res.Header.Get("ETag")+res.Header.Get("Last-Modified") != "" {
		t.Errorf("%d %v %s, %v", res.StatusCode, res.Header, body, err)
	}
}

// TestNilErrorOfAPolicy is a no: nothing says yes but nil itself.
func TestNilErrorOfAPolicy(t *testing.T) {
	iss := issuertest.New(t)
	gate := httpauth.New(newValidator(t, iss), nil).RequireThat(scopes.AnyToken(), func(context.Context, *validator.Token) error {
		var none *validator.Error
		return none
	})
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{}))
	gate(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("status %d", w.Code)
	}
}

// TestIgnoredAuthorization: a gateway's own field counts for nothing where it was
// said so, and else is refused with words for whoever runs the API.
func TestIgnoredAuthorization(t *testing.T) {
	iss := issuertest.New(t)
	good := iss.Token(issuertest.Claims{ClientID: "found"})
	credentials := func(r *http.Request) (scheme, token string, err error) {
		if found := r.Header.Get("Cf-Access-Jwt-Assertion"); found != "" {
			return "Bearer", found, nil
		}
		return "", "", nil
	}
	for name, tc := range map[string]struct {
		ignore        bool
		found         string
		authorization []string
		status        int
		optional      int
	}{
		"beside, ignored":                   {true, good, []string{"Basic dTpw"}, 200, 200},
		"two beside, ignored":               {true, good, []string{"Basic dTpw", "Bearer x"}, 200, 200},
		"beside, not ignored":               {false, good, []string{"Basic dTpw"}, 400, 400},
		"a good one there alone, ignored":   {true, "", []string{"Bearer " + good}, 401, 200},
		"a bad one found, a good one there": {true, "x.y", []string{"Bearer " + good}, 401, 401},
		"nothing":                           {true, "", nil, 401, 200},
	} {
		t.Run(name, func(t *testing.T) {
			var err *validator.Error
			auth := httpauth.New(newValidator(t, iss), &httpauth.Config{
				Credentials: credentials, DangerouslyIgnoreAuthorization: tc.ignore,
				ErrorHandler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) {
					err = f.Err
					f.Respond(w)
				},
			})
			empty := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			for _, asked := range []struct {
				api    http.Handler
				status int
			}{{auth.Require(scopes.AnyToken())(empty), tc.status}, {auth.Optional(scopes.AnyToken())(empty), tc.optional}} {
				r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
				if tc.found != "" {
					r.Header.Set("Cf-Access-Jwt-Assertion", tc.found)
				}
				r.Header["Authorization"] = tc.authorization
				asked.api.ServeHTTP(w, r)
				if w.Code != asked.status {
					t.Errorf("status %d, wanted %d: %v", w.Code, asked.status, err)
				}
			}
			if tc.status == 400 && !strings.Contains(err.Error(), "DangerouslyIgnoreAuthorization") {
				t.Errorf("no remedy: %v", err)
			}
		})
	}
}
