// Package providers knows how the authorization servers of the field write
// their access tokens. Each function returns a ready [validator.Issuer]:
//
//	v, err := validator.New(validator.Config{
//		Issuers: []validator.Issuer{
//			providers.EntraID(tenant, audience),
//		},
//	})
//
// What it returns is plain configuration. Change what differs at your
// provider before New gets it:
//
//	iss := providers.Keycloak("https://id.example.com", "shop", "orders")
//	iss.Clients = []string{"reports"}
//	iss.Introspection = &introspection.Config{Auth: auth}
//
// The presets are for machines. Where a token proves that it was issued to a
// client acting for itself, the preset sets AppOnly, and a user's token is
// refused; whoever clears it reads the function's comment first, because claims
// that are safe to count as scopes for a client may not be for a user.
//
// A wrong argument is reported by validator.New, together with every other fault:
// once, in a sentence that names the function, and whatever is changed in the
// Issuer afterwards.
//
// [FAPI2] goes around any of them, and holds it to the FAPI 2.0 Security Profile.
//
// docs/issuers has a page for each provider: what is checked and why, and
// what to configure there.
package providers
