package migrate

import (
	"github.com/m2mguard/m2mguard/validator"
)

// Trust is what every API here has in the place of keys, parser and expected claims.
func Trust(issuer, audience string) (*validator.Validator, error) {
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: issuer, Audience: []string{audience}}},
	})
	return v, err
}
