package serve

import (
	"errors"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/gateway"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/validator"
)

// Faults tells what Build would have against a file that has faults already, as far as
// nothing of it can come of those.
func (b *Builder) Faults(f *config.File) error {
	if f.Serve == nil {
		if f.AtFault("serve") {
			return nil
		}
		return errMissing
	}
	b.mu.Lock()
	look := Builder{Log: b.Log, listen: b.listen}
	b.mu.Unlock()
	if f.AtFault("api") && len(f.API.PublicURL) == 0 {
		f.API.PublicURL = []string{"https://api.invalid"} // which nobody misses then
	}
	c, faults := look.draft(f)
	if !f.AtFault("dpop") && !f.AtFault("issuers") && !f.AtFault("api") {
		faults = append(faults, unreachable(f, c.Routes))
	}
	v, err := validator.New(f.Config)
	if err == nil && !f.FaultsOnlyIn("serve", "client") {
		v.Close()
		err = errors.New("what is at fault may be missing in it")
	}
	if err != nil {
		if v, err = standIn(f); err != nil {
			return errors.Join(faults...)
		}
		for n := range c.Routes {
			c.Routes[n].Gate.Stale = 0 // of a list that the stand-in has not
		}
	}
	defer v.Close()
	c.Validator = v
	_, err = gateway.New(c)
	return errors.Join(append(faults, err)...)
}

// standIn is a validator for which every route can be compiled.
func standIn(f *config.File) (*validator.Validator, error) {
	c := validator.Config{DPoP: f.DPoP, Issuers: []validator.Issuer{{
		URL: "https://id.invalid", Audience: []string{"none"},
		Introspection: &introspection.Config{Auth: introspection.ClientSecretBasic("none", introspection.Secret("none"))},
	}}}
	v, err := validator.New(c)
	if err != nil { // by what dpop says
		c.DPoP = nil
		v, err = validator.New(c)
	}
	return v, err
}

// flat lists what was joined.
func flat(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, err := range joined.Unwrap() {
			all = append(all, flat(err)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
