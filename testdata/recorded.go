package testdata

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Server is what was recorded of one real authorization server.
type Server struct {
	Name     string // the server software, and the name of the recorded file
	Version  string
	Issuer   string // the iss of its tokens
	JWKSURI  string
	Audience string // the resource that the tokens were asked for
	JWKS     []byte // its key set, a JSON object (RFC 7517 §5)
	Tokens   []Token
	Document []byte // the whole recorded file, for what has no field here
}

// Token is one access token that the server issued.
type Token struct {
	Name     string
	ClientID string
	Raw      string // as it goes into an Authorization header
	Format   string // "jws", "jwe" or "opaque"

	// Introspection is what the server answered when asked about the token, a
	// JSON object, with the status IntrospectionStatus.
	Introspection       []byte
	IntrospectionStatus int

	Outcomes []Outcome
}

// Outcome says what a verifier must make of a token under one configuration:
// the server's issuer and audience, 30 s of clock skew, and what is below.
type Outcome struct {
	Proof string    // "jwt" for the server's keys alone, "introspection" for its answer alone
	Want  string    // "ok", or the check that must fail; the folder's README.md lists them
	Clock time.Time // when the token is judged

	// Algorithms is the allow-list; nil means RS256, PS256, ES256 and EdDSA.
	Algorithms []string
	// MissingAudienceAllowed says that an introspection answer may lack aud.
	MissingAudienceAllowed bool
	// Requires is the scope of a route that must refuse the token, if Want is
	// "scope".
	Requires string
	// Scopes is what the token grants, if Want is "ok".
	Scopes []string
}

// Recorded returns the recorded servers, sorted by name. Requests for a token
// that the server refused are left out; Document holds them.
func Recorded() []Server {
	var outcomes map[string]map[string][]struct {
		Proof                  string   `json:"proof"`
		Want                   string   `json:"want"`
		Clock                  int64    `json:"clock"`
		Algorithms             []string `json:"algorithms"`
		MissingAudienceAllowed bool     `json:"missing_audience_allowed"`
		Requires               string   `json:"requires"`
		Scopes                 []string `json:"scopes"`
	}
	decode("recorded/outcomes.json", &outcomes)

	var servers []Server
	for _, name := range names("recorded", ".json") {
		if name == "outcomes" {
			continue
		}
		s := server(name)
		for i := range s.Tokens {
			t := &s.Tokens[i]
			for _, o := range outcomes[name][t.Name] {
				t.Outcomes = append(t.Outcomes, Outcome{
					Proof:                  o.Proof,
					Want:                   o.Want,
					Clock:                  time.Unix(o.Clock, 0),
					Algorithms:             o.Algorithms,
					MissingAudienceAllowed: o.MissingAudienceAllowed,
					Requires:               o.Requires,
					Scopes:                 o.Scopes,
				})
			}
		}
		servers = append(servers, s)
	}
	return servers
}

// server reads one recorded file, without outcomes.
func server(name string) Server {
	file := "recorded/" + name + ".json"
	var doc struct {
		Version  string          `json:"version"`
		Issuer   string          `json:"issuer"`
		JWKSURI  string          `json:"jwks_uri"`
		Audience string          `json:"audience"`
		JWKS     json.RawMessage `json:"jwks"`
		Tokens   []struct {
			Name          string          `json:"name"`
			ClientID      string          `json:"client_id"`
			Raw           string          `json:"access_token"`
			Format        string          `json:"format"`
			Introspection json.RawMessage `json:"introspection"`
		} `json:"tokens"`
	}
	decode(file, &doc)

	s := Server{
		Name:     name,
		Version:  doc.Version,
		Issuer:   doc.Issuer,
		JWKSURI:  doc.JWKSURI,
		Audience: doc.Audience,
		JWKS:     doc.JWKS,
		Document: slices.Clone(read(file)),
	}
	for _, t := range doc.Tokens {
		if t.Raw == "" {
			continue
		}
		s.Tokens = append(s.Tokens, Token{
			Name:                t.Name,
			ClientID:            t.ClientID,
			Raw:                 t.Raw,
			Format:              t.Format,
			Introspection:       t.Introspection,
			IntrospectionStatus: status(file, t.Introspection),
		})
	}
	return s
}

// status finds the HTTP status of a recorded answer: the recording wrote it
// into the object where it was not 200.
func status(file string, answer []byte) int {
	var recorded struct {
		Status int `json:"status"`
	}
	if err := json.Unmarshal(answer, &recorded); err != nil {
		panic("testdata: " + file + ": " + err.Error())
	}
	return cmp.Or(recorded.Status, 200)
}
