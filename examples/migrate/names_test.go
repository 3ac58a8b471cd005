package migrate_test

import (
	ginjwt "github.com/appleboy/gin-jwt/v2"
	jwtmiddleware2 "github.com/auth0/go-jwt-middleware/v2"
	validator2 "github.com/auth0/go-jwt-middleware/v2/validator"
	jwtmiddleware3 "github.com/auth0/go-jwt-middleware/v3"
	validator3 "github.com/auth0/go-jwt-middleware/v3/validator"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// What the page's tables name, so that a version without one of them does not compile.
var (
	_ = []any{
		jwtmiddleware2.ContextKey{}, jwtmiddleware2.WithCredentialsOptional, jwtmiddleware2.WithExclusionUrls, jwtmiddleware2.WithValidateOnOptions,
		jwtmiddleware2.CookieTokenExtractor, jwtmiddleware2.ParameterTokenExtractor, jwtmiddleware2.WithErrorHandler,
		validator2.CustomClaims.Validate, validator2.ValidatedClaims{}.CustomClaims,
	}
	_ = []any{
		jwtmiddleware3.GetClaims[*validator3.ValidatedClaims], jwtmiddleware3.WithCredentialsOptional, jwtmiddleware3.WithExclusionUrls,
		jwtmiddleware3.WithValidateOnOptions, jwtmiddleware3.CookieTokenExtractor, jwtmiddleware3.ParameterTokenExtractor, jwtmiddleware3.WithErrorHandler,
		jwtmiddleware3.WithDPoPMode, validator3.WithIssuers, validator3.WithIssuersResolver, validator3.CustomClaims.Validate,
	}
	_ = []any{jwt.ErrTokenExpired, jwt.ClaimsValidator.Validate}
	_ = []any{oidc.NewProvider, oidc.Config{}.SkipClientIDCheck, (*oidc.Provider).UserInfo}
	_ = []any{
		echojwt.Config{}.ContextKey, echojwt.Config{}.NewClaimsFunc, echojwt.Config{}.Skipper, echojwt.Config{}.ErrorHandler,
		echojwt.Config{}.ContinueOnIgnoredError, echojwt.Config{}.TokenLookup, echojwt.Config{}.TokenLookupFuncs, echojwt.Config{}.SigningKey,
		echojwt.Config{}.ParseTokenFunc, echojwt.ErrJWTMissing, echojwt.ErrJWTInvalid, echo.Echo{}.HTTPErrorHandler, echo.HTTPError{}.Internal,
		echo.Context.Get, (*echo.Echo).Use, echojwt.WithConfig,
	}
	_ = []any{
		(*ginjwt.GinJWTMiddleware).LoginHandler, (*ginjwt.GinJWTMiddleware).RefreshHandler, (*ginjwt.GinJWTMiddleware).LogoutHandler,
		(*ginjwt.GinJWTMiddleware).MiddlewareFunc, ginjwt.GinJWTMiddleware{}.Authenticator, ginjwt.GinJWTMiddleware{}.Authorizator, ginjwt.ExtractClaims,
		ginjwt.GinJWTMiddleware{}.IdentityHandler, ginjwt.GinJWTMiddleware{}.TokenLookup, ginjwt.GinJWTMiddleware{}.Unauthorized,
		ginjwt.GinJWTMiddleware{}.HTTPStatusMessageFunc, gin.Context{}.Errors,
	}
	_ = []any{
		validator.FromContext, (*validator.Token).Scopes, (*validator.Token).ClientID, (*validator.Token).Claim, (*validator.Token).Claims,
		validator.Profile{}.Accept, validator.Config{}.Issuers, validator.Config{}.Resolver, validator.Config{}.DPoP, validator.Issuer{}.Audience,
		validator.Issuer{}.Clients, validator.New, (*validator.Validator).Ready, (*validator.Error).Check,
		(*httpauth.Middleware).Require, (*httpauth.Middleware).RequireThat, (*httpauth.Middleware).Optional, (*httpauth.Middleware).RequireBound,
		httpauth.Config{}.Credentials, httpauth.Config{}.ErrorHandler, httpauth.Body{}, echoauth.Token, ginauth.Token, scopes.AnyToken,
	}
)
