package validator_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// Zitadel writes roles as the member names of an object.
func ExampleProfile_grants() {
	profile := validator.Profile{
		Grants: func(t *validator.Token) (scopes, roles []string) {
			var object map[string]json.RawMessage
			if err := t.Claim("urn:zitadel:iam:org:project:roles", &object); err != nil {
				return nil, nil // absent, or of another form: it grants nothing
			}
			roles = slices.Sorted(maps.Keys(object))
			return roles, roles
		},
	}
	claims := `{"urn:zitadel:iam:org:project:roles": {"orders:read": {"2232819": "org.example.com"}, "Data Steward": {}}}`

	token, err := validator.DangerouslyUnverified([]byte(claims), profile) // in a test; else it is Issuer.Profile
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("scopes %q, roles %q\n", token.Scopes(), token.Roles()) // a name with a space is no scope
	// Output:
	// scopes "orders:read", roles ["Data Steward" "orders:read"]
}

// Casdoor writes roles as objects that have a name.
func ExampleProfile_grants_objects() {
	profile := validator.Profile{
		RoleClaims: []string{}, // roles are no strings
		Grants: func(t *validator.Token) (scopes, roles []string) {
			var objects []struct {
				Name string `json:"name"`
			}
			if err := t.Claim("roles", &objects); err != nil {
				return nil, nil
			}
			for _, o := range objects {
				roles = append(roles, o.Name)
			}
			return nil, roles // which do not count as scopes here
		},
	}
	claims := `{"scope": "orders:read", "roles": [{"owner": "acme", "name": "clerk"}, {"owner": "acme", "name": "auditor"}]}`

	token, err := validator.DangerouslyUnverified([]byte(claims), profile)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("scopes %q, roles %q\n", token.Scopes(), token.Roles())
	// Output:
	// scopes "orders:read", roles ["clerk" "auditor"]
}

// Some issuers join scopes by commas, which RFC 6749 allows within a name.
func ExampleProfile_grants_commas() {
	profile := validator.Profile{
		ScopeClaims: []string{}, // Grants alone reads scope
		Grants: func(t *validator.Token) (scopes, roles []string) {
			var list string
			if err := t.Claim("scope", &list); err != nil {
				return nil, nil
			}
			return strings.Split(list, ","), nil
		},
	}
	token, err := validator.DangerouslyUnverified([]byte(`{"scope": "orders:read,orders:write"}`), profile)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Scopes())
	// Output:
	// orders:read orders:write
}

// What orders:* means is the issuer's to say, and here it says so.
func ExampleProfile_wildcardSuffix() {
	profile := validator.Profile{WildcardSuffix: ":*"}
	token, err := validator.DangerouslyUnverified([]byte(`{"scope": "orders:*"}`), profile)
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"orders:read", "orders:items:write", "orders", "orders-old:read"} {
		fmt.Println(name, token.Check(scopes.All(name)) == nil)
	}
	// Output:
	// orders:read true
	// orders:items:write true
	// orders false
	// orders-old:read false
}

// A scope that stands for others, which stand for others in turn.
func ExampleProfile_implies() {
	profile := validator.Profile{Implies: map[string][]string{
		"admin":        {"orders:write", "audit"},
		"orders:write": {"orders:read"},
	}}
	token, err := validator.DangerouslyUnverified([]byte(`{"scope": "admin"}`), profile)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Scopes())
	// Output:
	// admin audit orders:read orders:write
}

// Claims held against lists, and against what only the API can say.
func ExampleProfile_accept() {
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{
		URL:      "https://token.actions.githubusercontent.com",
		Audience: []string{"https://orders.example.com"},
		Profile: validator.Profile{
			Match: map[string][]string{"repository_owner_id": {"65", "74"}},
			Accept: func(t *validator.Token) error {
				var ref string
				if err := t.Claim("ref", &ref); err != nil {
					return err
				}
				if ref != "refs/heads/main" && !strings.HasPrefix(ref, "refs/tags/v") {
					return errors.New("neither the main branch nor a release may call this API") // for the log
				}
				return nil
			},
			NameClaims: []string{"repository"}, // scopes.Any("octo-org/octo-repo") is who
		},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	// Output:
}
