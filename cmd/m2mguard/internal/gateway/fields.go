package gateway

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// overriding are the fields by which some frameworks take another method or path than the
// request's.
var overriding = []string{"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"}

var (
	errField = errors.New("a field is an identity field in another spelling, or one by which frameworks take another method or path (X-HTTP-Method-Override, X-Original-URL, X-Rewrite-URL): have the proxy remove it, if honest clients send it")
	errSlash = errors.New("the path is one route's, and without or with a slash at its end another's: give both the same rule")
)

// plainFields are the identity fields, as proxies compare them.
var plainFields = func() (plain []string) {
	for _, name := range identityFields {
		plain = append(plain, strings.ToLower(name))
	}
	return plain
}()

// confusing is a field that a reader behind may take for one of ours, as CGI and its kin
// do, which know letters and digits alone; or for the method or path. A proxy overwrites
// ours in the plain spelling, and may pass on the others.
func confusing(h http.Header) string {
	for name := range h {
		plain := strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				return r - 'A' + 'a'
			}
			if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
				return r
			}
			return '-'
		}, name)
		if slices.Contains(overriding, plain) || slices.Contains(plainFields, plain) && strings.ToLower(name) != plain {
			return name
		}
	}
	return ""
}
