package adaptertest_test

import (
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// The answers that hold for more than one row.
var (
	unauthorized = refusal(401, `Bearer realm="api"`, "unauthorized", "No access token was sent.")
	badRequest   = refusal(400,
		`Bearer realm="api", error="invalid_request", error_description="The request must carry exactly one well-formed bearer token, in the Authorization header."`,
		"invalid_request", "The request must carry exactly one well-formed bearer token, in the Authorization header.")
	unavailable = answer{
		Status: 503, ContentType: "application/json", CacheControl: "no-store",
		Body: `{"error":"temporarily_unavailable","error_description":"The access token cannot be checked right now."}` + "\n",
	}
)

func refusal(status int, challenge, code, description string) answer {
	return answer{
		Status:       status,
		Challenges:   []string{challenge},
		ContentType:  "application/json",
		CacheControl: "no-store",
		Body:         `{"error":"` + code + `","error_description":"` + description + `"}` + "\n",
	}
}

func invalidToken(description string) answer {
	return refusal(401, `Bearer realm="api", error="invalid_token", error_description="`+description+`"`, "invalid_token", description)
}

// insufficientScope is the answer of a route that needs these scopes.
func insufficientScope(needs string) answer {
	const description = "The access token lacks a scope that this request needs."
	challenge := `Bearer realm="api", error="insufficient_scope", error_description="` + description + `"`
	if needs != "" {
		challenge += `, scope="` + needs + `"`
	}
	return refusal(403, challenge, "insufficient_scope", description)
}

func letIn(scopes string) answer {
	return answer{Status: 200, ContentType: "text/plain; charset=utf-8", Body: issuertest.ClientID + " may " + scopes}
}

func bearer(token string) []string { return []string{"Bearer " + token} }

func passed(client string) answer {
	return answer{Status: 200, ContentType: "text/plain; charset=utf-8", Body: client}
}

var (
	accessDenied = answer{
		Status: 403, ContentType: "application/json", CacheControl: "no-store",
		Body: `{"error":"access_denied","error_description":"This API does not let the client of the access token do this."}` + "\n",
	}
	bound = invalidToken("This request needs an access token that is bound to its sender.")
)
