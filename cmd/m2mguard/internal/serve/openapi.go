package serve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/gateway"
	"github.com/m2mguard/m2mguard/scopes"
)

// fromOpenAPI reads the routes of an OpenAPI 3 document: its paths below the path of its
// server, its operations by their security or the document's. One requirement of several
// is enough; of the schemes in it, those of OAuth 2.0, OpenID Connect and HTTP bearer
// are this gateway's, and name scopes; another one is a fault, because nobody would
// check it. An empty list is public; no list at all is a fault.
func fromOpenAPI(name string) ([]gateway.Route, error) {
	if _, err := os.Stat(name); err != nil { // then the name may be none, and is not shown
		return nil, fmt.Errorf("serve.openAPI names a file that cannot be read: %w", config.WithoutName(err))
	}
	loader := openapi3.NewLoader()
	loader.IsExternalRefsAllowed = false
	document, err := loader.LoadFromFile(name)
	if err == nil {
		err = document.Validate(context.Background(), openapi3.DisableExamplesValidation())
	}
	if err != nil {
		return nil, fmt.Errorf("serve.openAPI: %q: %w", name, err)
	}
	base, err := basePath(document)
	faults := []error{err}
	var all []gateway.Route
	for _, path := range slices.Sorted(maps.Keys(document.Paths.Map())) {
		operations := document.Paths.Value(path).Operations()
		for _, method := range slices.Sorted(maps.Keys(operations)) {
			r, err := ofOperation(document, operations[method])
			wild, unread := wildcards(path)
			if err = errors.Join(err, unread); err != nil {
				faults = append(faults, fmt.Errorf("serve.openAPI: %q: %s %s: %w", name, method, path, err))
				continue
			}
			r.Pattern = method + " " + base + wild
			all = append(all, r)
		}
	}
	return all, errors.Join(faults...)
}

// basePath is the path of all servers.
func basePath(document *openapi3.T) (string, error) {
	var base string
	for n, server := range document.Servers {
		u, err := url.Parse(server.URL)
		if err != nil || strings.Contains(u.Path, "{") {
			return "", fmt.Errorf("serve.openAPI: the server %q has no path that can be known, wanted a URL without variables in its path", server.URL)
		}
		path := strings.TrimSuffix(u.Path, "/")
		if n > 0 && path != base {
			return "", fmt.Errorf("serve.openAPI: the servers have the paths %q and %q, wanted one", base, path)
		}
		base = path
	}
	return base, nil
}

// wildcards are the parameters of a path as http.ServeMux has them, whose names are
// identifiers; a path that ends in a slash is that path alone. A segment with a parameter
// and something else is a fault: ServeMux has whole segments alone, and that would be a
// rule for more paths than the document's.
func wildcards(path string) (string, error) {
	var b strings.Builder
	number := 0
	for n, segment := range strings.Split(path, "/") {
		if n > 0 {
			b.WriteByte('/')
		}
		if strings.ContainsAny(segment, "{}") {
			name, opened := strings.CutPrefix(segment, "{")
			name, closed := strings.CutSuffix(name, "}")
			if !opened || !closed || name == "" || strings.ContainsAny(name, "{}") {
				return "", fmt.Errorf("the segment %s is not one parameter and nothing else, such as {id}: list the route in serve.routes, with a rule that is right for the whole segment", gateway.Shown(segment))
			}
			number++
			segment = fmt.Sprintf("{p%d}", number)
		}
		b.WriteString(segment)
	}
	if strings.HasSuffix(path, "/") {
		b.WriteString("{$}")
	}
	return b.String(), nil
}

// ofOperation is who may use it.
func ofOperation(document *openapi3.T, o *openapi3.Operation) (gateway.Route, error) {
	security := &document.Security
	if o.Security != nil {
		security = o.Security
	} else if document.Security == nil {
		return gateway.Route{}, errors.New("nothing says who may use it, wanted security for the operation or the document; an empty list is for everybody")
	}
	if len(*security) == 0 {
		return gateway.Route{Public: true}, nil
	}
	var ways []scopes.Rule
	optional := false
	for _, requirement := range *security {
		if len(requirement) == 0 {
			optional = true
			continue
		}
		rule, err := ofRequirement(document, requirement)
		if err != nil {
			return gateway.Route{}, err
		}
		ways = append(ways, rule)
	}
	if ways == nil {
		return gateway.Route{Public: true}, nil
	}
	return gateway.Route{Gate: httpauth.Gate{Rule: scopes.AnyOf(ways...), Optional: optional}}, nil
}

func ofRequirement(document *openapi3.T, requirement openapi3.SecurityRequirement) (scopes.Rule, error) {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(requirement)) {
		var scheme *openapi3.SecurityScheme
		if document.Components != nil && document.Components.SecuritySchemes[name] != nil {
			scheme = document.Components.SecuritySchemes[name].Value
		}
		switch {
		case scheme == nil:
			return scopes.Rule{}, fmt.Errorf("its security names the scheme %q, which components.securitySchemes has not", name)
		case scheme.Type == "oauth2", scheme.Type == "openIdConnect", scheme.Type == "http" && strings.EqualFold(scheme.Scheme, "bearer"):
			names = append(names, requirement[name]...)
		default:
			return scopes.Rule{}, fmt.Errorf("its security names the scheme %q, of the type %s, which nobody would check here; wanted oauth2, openIdConnect or http bearer", name, scheme.Type)
		}
	}
	for _, name := range names {
		if !scopes.Valid(name) {
			return scopes.Rule{}, fmt.Errorf("its security names the scope %s, which can be none (RFC 6749 §3.3)", gateway.Shown(name))
		}
	}
	if names == nil {
		return scopes.AnyToken(), nil
	}
	return scopes.All(names...), nil
}
