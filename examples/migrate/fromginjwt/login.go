package fromginjwt

import (
	jwt "github.com/appleboy/gin-jwt/v2"
	"github.com/gin-gonic/gin"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// Login is what stays: it logs people in. Its tokens say now who issued them, and for which API.
func Login(issuer, audience, privateKey, publicKey string, who func(*gin.Context) (any, error)) (*jwt.GinJWTMiddleware, error) {
	return jwt.New(&jwt.GinJWTMiddleware{
		SigningAlgorithm: "RS256", // was HS256, with a secret that every API held
		PrivKeyFile:      privateKey,
		PubKeyFile:       publicKey,
		Authenticator:    who,
		PayloadFunc: func(user any) jwt.MapClaims {
			return jwt.MapClaims{"iss": issuer, "aud": audience, "sub": user, "scope": "orders:read"}
		},
	})
}

// TrustLogin is what the API has in the place of its secret.
func TrustLogin(issuer, audience, publicKey string) (*validator.Validator, error) {
	return validator.New(validator.Config{Issuers: []validator.Issuer{{
		URL: issuer, Audience: []string{audience}, Algorithms: []string{"RS256"},
		Keys: &jwks.Config{File: publicKey},
	}}})
}
