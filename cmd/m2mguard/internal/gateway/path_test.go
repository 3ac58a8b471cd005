package gateway

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestReadPath: what honest clients send is read, escapes taken out.
func TestReadPath(t *testing.T) {
	for target, want := range map[string]string{
		"/":                             "/",
		"/orders":                       "/orders",
		"/orders/":                      "/orders/",
		"/orders/17?expand=a%2Fb&x=..":  "/orders/17",
		"/orders/17?":                   "/orders/17",
		"/v1/orders:batch":              "/v1/orders:batch",
		"/a!$&'()*+,=@b":                "/a!$&'()*+,=@b",
		"/files/annual%20report.pdf":    "/files/annual report.pdf",
		"/users/ada%40example.com":      "/users/ada@example.com",
		"/a%2Cb%3A%5B1%5D":              "/a,b:[1]",
		"/caf%C3%A9/%E6%9D%B1%E4%BA%AC": "/café/東京",
		"/~ada/.well-known/x-y_z":       "/~ada/.well-known/x-y_z",
		"/%F0%9F%9A%80":                 "/🚀",
	} {
		if got, err := readPath(target); got != want || err != nil {
			t.Errorf("%s: %q, %v, wanted %q", target, got, err, want)
		}
	}
}

// ambiguous is the corpus: what two readers have read in two ways, with where.
var ambiguous = map[string]error{
	"":                      errForm,
	"*":                     errForm,
	"orders":                errForm,
	"http://a/orders":       errForm,
	"?/orders":              errForm,
	"/public/../admin":      errDots, // GHSA-xf64-8mw2-4gr2 (Traefik, StripPrefix), CVE-2019-9901 (Envoy)
	"/public/./admin":       errDots,
	"/public/..":            errDots,
	"/.":                    errDots,
	"/public/...":           errDots,
	"/admin.":               errDots,  // readers that drop a dot at the end
	"/admin%20":             errDots,  // and a blank
	"/public/%2e%2e/x":      errPlain, // CVE-2019-9901
	"/public/%2E./x":        errPlain,
	"/public/.%2e/x":        errPlain,
	"/%61dmin":              errPlain, // CVE-2026-27587 (Caddy: an escape skips the folding of case)
	"/admi%6E":              errPlain,
	"/a%2Db":                errPlain,
	"/a%7Eb":                errPlain,
	"/public%2f..%2fx":      errHidden, // CVE-2021-29492 (Envoy), CVE-2025-66490 (Traefik)
	"/public%2Fadmin":       errHidden,
	"/public%5cadmin":       errHidden, // CVE-2021-29492, CVE-2025-66490
	"/public%5C..%5Cx":      errHidden,
	"/admin%00":             errHidden, // CVE-2025-66490
	"/admin%00.png":         errHidden,
	"/admin%3b":             errHidden, // CVE-2025-66490
	"/admin%3Fx":            errHidden, // CVE-2025-66490
	"/admin%23x":            errHidden, // CVE-2025-66490, CVE-2021-32779 (Envoy)
	"/admin%0a":             errHidden,
	"/admin%0d%0aX:y":       errHidden,
	"/admin%7f":             errHidden,
	"/public/%252e%252e":    errHidden, // escaped twice
	"/%2561dmin":            errHidden,
	"//admin":               errEmpty,
	"/public//admin":        errEmpty,
	"/public///":            errEmpty,
	"/public\\admin":        errLetter,
	"/public\\..\\admin":    errLetter,
	"/admin;a=b":            errLetter, // Java's path parameters
	"/public/..;/admin":     errLetter, // and how they hid dots
	"/admin#x":              errLetter, // CVE-2021-32779
	"/admin?x#y":            errQuery,
	"/admin?x\ny":           errQuery,
	"/admin x":              errLetter,
	"/admin\tx":             errLetter,
	"/adm\x00in":            errLetter,
	"/caf\xc3\xa9":          errLetter,
	"/ADMIN%":               errEscape,
	"/%4":                   errEscape,
	"/%zz":                  errEscape,
	"/%u0061dmin":           errEscape,
	"/%c0%afadmin":          errEncoding, // a slash in two bytes
	"/%c0%ae%c0%ae/x":       errEncoding, // dots in two bytes
	"/%e0%80%afadmin":       errEncoding,
	"/%c1%81dmin":           errEncoding,
	"/%ff":                  errEncoding,
	"/%ed%a0%80":            errEncoding, // half of a surrogate
	"/%ef%bc%8fadmin":       errTwin,     // ／
	"/%ef%bc%8e%ef%bc%8e/x": errTwin,     // ．．
	"/%ef%bd%81dmin":        errTwin,     // ａ
	"/%e2%84%aaey":          errTwin,     // the Kelvin sign, a k for who folds case
	"/%c5%bfecret":          errTwin,     // ſ, an s
	"/%c4%b1d":              errTwin,     // ı, whose capital is I
	"/%ef%ac%81le":          errTwin,     // ﬁ
	"/cafe%cc%81":           errTwin,     // é of two
	"/admin%e2%80%8b":       errTwin,     // no width
	"/admin%e2%80%ae":       errTwin,     // the other direction
	"/admin%c2%a0":          errTwin,     // a blank that does not break
	"/admin%c2%ad":          errTwin,     // a soft hyphen
	"/admin%ef%b8%8f":       errTwin,     // a variation selector
	"/public%e2%88%95admin": errTwin,     // ∕
	"/public%e2%81%84admin": errTwin,     // ⁄
	"/public%e2%88%96admin": errTwin,     // ∖
	"/admin::$DATA":         errTwin,
	"/admin%c2%85":          errTwin, // a line break, for some
}

// TestReadPathRefuses all of the corpus, in front of a query, too, and by its reason.
func TestReadPathRefuses(t *testing.T) {
	for target, want := range ambiguous {
		if got, err := readPath(target); !errors.Is(err, want) {
			t.Errorf("%q: %q, %v, wanted %v", target, got, err, want)
		}
	}
	if _, err := readPath("/" + strings.Repeat("a", maxTarget)); !errors.Is(err, errLong) {
		t.Errorf("a long one: %v", err)
	}
}

// FuzzReadPath: whatever is read is the same to readers that clean, decode once more or
// not at all, split, fold or cut.
func FuzzReadPath(f *testing.F) {
	for target := range ambiguous {
		f.Add(target)
	}
	f.Add("/caf%C3%A9?x=%2F")
	f.Fuzz(func(t *testing.T, target string) {
		got, err := readPath(target)
		if err != nil {
			return
		}
		raw, _, _ := strings.Cut(target, "?")
		once, err := url.PathUnescape(raw)
		if err != nil || once != got {
			t.Errorf("%q: read as %q, net/url reads %q, %v", target, got, once, err)
		}
		if twice, err := url.PathUnescape(got); err != nil || twice != got {
			t.Errorf("%q: read as %q, and once more as %q, %v", target, got, twice, err)
		}
		cleaned := path.Clean(got)
		if strings.HasSuffix(got, "/") && got != "/" {
			cleaned += "/"
		}
		if cleaned != got {
			t.Errorf("%q: read as %q, cleaned %q", target, got, cleaned)
		}
		if strings.Count(raw, "/") != strings.Count(got, "/") || strings.ContainsAny(got, "\\;%?#\x00\r\n") || !utf8.ValidString(got) {
			t.Errorf("%q: read as %q", target, got)
		}
		r, err := http.NewRequest("GET", "http://a"+raw, nil)
		if err != nil || r.URL.Path != got {
			t.Errorf("%q: read as %q, net/http fails or reads another: %v", target, got, err)
		}
	})
}
