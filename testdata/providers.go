package testdata

import (
	"embed"
	"encoding/json"
	"maps"
	"path"
	"time"
)

//go:embed providers/*.json
var providerFiles embed.FS

// ProviderKey is the test key that signs the tokens of providers, see [Key].
const ProviderKey = "rsa-2048-a"

// Provider holds tokens as a provider documents them, with identifiers that
// belong to nobody.
type Provider struct {
	Name      string   // the function of package providers that reads them
	Documents []string // where the provider describes them
	Issuer    string

	// JWKSURI is where the provider publishes the key set JWKS, which holds
	// ProviderKey as the provider would write it; Discovered says that its
	// metadata is asked first. IntrospectionEndpoint is where it is asked about
	// its tokens instead.
	JWKSURI               string
	JWKS                  []byte
	Discovered            bool
	IntrospectionEndpoint string

	Clock  time.Time // when the tokens are judged
	Tokens []ProviderToken
}

// ProviderToken is one token and what a verifier must make of it.
type ProviderToken struct {
	Name string
	Note string // what is special about it

	// Header and Claims are the JSON objects to sign with ProviderKey. For a
	// token that is introspected, Header is nil and Claims the answer.
	Header, Claims []byte

	// AppOnly and Clients are set on the validator's issuer first.
	AppOnly bool
	Clients []string

	Want string // "ok", or the check that must fail

	// What the token says, if Want is "ok". Scopes are sorted.
	ClientID string
	Scopes   []string
	Roles    []string
	Tenant   string
}

// Providers returns the documented tokens of all providers.
func Providers() []Provider {
	entries, err := providerFiles.ReadDir("providers")
	if err != nil {
		panic("testdata: " + err.Error())
	}
	var all []Provider
	for _, e := range entries {
		all = append(all, provider(path.Join("providers", e.Name())))
	}
	return all
}

func provider(file string) Provider {
	type object = map[string]any
	var doc struct {
		Name                  string   `json:"provider"`
		Documents             []string `json:"documents"`
		Issuer                string   `json:"issuer"`
		JWKSURI               string   `json:"jwks_uri"`
		Discovered            bool     `json:"discovered"`
		IntrospectionEndpoint string   `json:"introspection_endpoint"`
		Clock                 int64    `json:"clock"`
		JWK                   object   `json:"jwk"`
		Tokens                []struct {
			Name   string `json:"name"`
			Note   string `json:"note"`
			Header object `json:"header"`
			Claims object `json:"claims"`
			Change struct {
				Header object `json:"header"`
				Claims object `json:"claims"`
			} `json:"change"`
			AppOnly  bool     `json:"app_only"`
			Clients  []string `json:"clients"`
			Want     string   `json:"want"`
			ClientID string   `json:"client_id"`
			Scopes   []string `json:"scopes"`
			Roles    []string `json:"roles"`
			Tenant   string   `json:"tenant"`
		} `json:"tokens"`
	}
	data, err := providerFiles.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &doc)
	}
	if err != nil {
		panic("testdata: " + file + ": " + err.Error())
	}

	p := Provider{
		Name:                  doc.Name,
		Documents:             doc.Documents,
		Issuer:                doc.Issuer,
		JWKSURI:               doc.JWKSURI,
		Discovered:            doc.Discovered,
		IntrospectionEndpoint: doc.IntrospectionEndpoint,
		Clock:                 time.Unix(doc.Clock, 0),
	}
	// The first token is whole; the others say how they differ from it.
	first := doc.Tokens[0]
	if p.JWKSURI != "" {
		var key object
		if err := json.Unmarshal(PublicKey(ProviderKey), &key); err != nil {
			panic("testdata: " + err.Error())
		}
		maps.Copy(key, doc.JWK)
		key["kid"] = first.Header["kid"]
		p.JWKS = encode(object{"keys": []object{key}})
	}
	for _, t := range doc.Tokens {
		token := ProviderToken{
			Name: t.Name, Note: t.Note, AppOnly: t.AppOnly, Clients: t.Clients,
			Want: t.Want, ClientID: t.ClientID, Scopes: t.Scopes, Roles: t.Roles, Tenant: t.Tenant,
		}
		token.Claims = encode(changed(t.Claims, first.Claims, t.Change.Claims))
		if first.Header != nil {
			token.Header = encode(changed(t.Header, first.Header, t.Change.Header))
		}
		p.Tokens = append(p.Tokens, token)
	}
	return p
}

// changed returns own if there is one, or else a copy of first with the changes
// made to it; null removes a member.
func changed(own, first, changes map[string]any) map[string]any {
	if own != nil {
		return own
	}
	result := maps.Clone(first)
	for name, value := range changes {
		if value == nil {
			delete(result, name)
		} else {
			result[name] = value
		}
	}
	return result
}

func encode(object map[string]any) []byte {
	data, err := json.Marshal(object)
	if err != nil {
		panic("testdata: " + err.Error())
	}
	return data
}
