package validator

// flaw tells apart the ways to fail one check that a client or an operator mends
// in different places. The zero value is the check's usual one.
type flaw uint8

const (
	usual     flaw = iota
	absent         // what the check asks for is not there
	malformed      // it is there, in a form that it cannot have
	different      // it is there, with another value
	encrypted      // CheckShape: the token is encrypted (RFC 7516)
	another        // CheckActive: the answer is about another token; CheckBinding: it is another sender
	unwanted       // CheckClaims: the API's own check says no; CheckBinding: there is nothing to prove
	broken         // CheckClaims: a function of the configuration panicked
	excessive      // it is more than is accepted
)

type flawOf struct {
	check Check
	flaw  flaw
}

// finer are the facts of flaws that are not the usual one. A check that is not
// listed with a flaw says what it always says.
var finer = map[flawOf]facts{
	{CheckShape, malformed}:     {ErrInvalidToken, "The access token is malformed.", "the client altered the token"},
	{CheckShape, encrypted}:     {ErrInvalidToken, "The access token is encrypted, and this API cannot read it.", "let the authorization server issue signed access tokens that are not encrypted for this API, or set Issuer.Introspection"},
	{CheckAlgorithm, absent}:    {ErrInvalidToken, "The access token does not name the algorithm that it is signed with.", "the authorization server does not follow RFC 7515 §4.1.1"},
	{CheckType, absent}:         {ErrInvalidToken, "The token does not say of which type it is.", "Issuer.Profile: an empty string in Types accepts a token without typ"},
	{CheckIssuer, absent}:       {ErrInvalidToken, "The access token does not name its issuer.", "let the authorization server set iss (RFC 9068 §2.2)"},
	{CheckIssuer, malformed}:    {ErrInvalidToken, "The issuer that the access token names is malformed.", "the authorization server does not follow RFC 7519 §4.1.1"},
	{CheckExpiry, absent}:       {ErrInvalidToken, "The access token does not say when it expires.", "let the authorization server set exp (RFC 9068 §2.2): without it a JWT would be good for ever"},
	{CheckExpiry, malformed}:    {ErrInvalidToken, "The expiry time of the access token is malformed.", "the authorization server does not follow RFC 7519 §4.1.4"},
	{CheckExpiry, excessive}:    {ErrInvalidToken, "The access token is good for longer than this API accepts.", "Issuer.MaxTokenLifetime, or how long the authorization server lets its tokens live"},
	{CheckIssuedAt, absent}:     {ErrInvalidToken, "The access token does not say when it was issued.", "let the authorization server set iat (RFC 9068 §2.2)"},
	{CheckIssuedAt, different}:  {ErrInvalidToken, "The access token was issued in the future.", "Config.ClockSkew and Config.Now"},
	{CheckNotBefore, malformed}: {ErrInvalidToken, "The start time of the access token is malformed.", "the authorization server does not follow RFC 7519 §4.1.5"},
	{CheckAudience, absent}:     {ErrInvalidToken, "The access token does not name the API that it is meant for.", "let the authorization server set aud, which may need a setting of its own there"},
	{CheckAudience, malformed}:  {ErrInvalidToken, "The audience of the access token is malformed.", "the authorization server does not follow RFC 7519 §4.1.3"},
	{CheckSignature, absent}:    {ErrInvalidToken, "The access token is not signed.", "let the authorization server sign its tokens"},
	{CheckClaims, different}:    {ErrInvalidToken, "A claim of the access token has another value than this API needs.", "Issuer.Profile"},
	{CheckClaims, malformed}:    {ErrInvalidToken, "A claim of the access token is malformed.", "the authorization server does not follow RFC 7519 §4.1 or RFC 8693 §4; Issuer.Profile names the claims that grant scopes"},
	{CheckClaims, unwanted}:     {ErrInvalidToken, "The access token does not meet a condition of this API.", "Profile.Accept"},
	{CheckClaims, broken}:       {ErrInvalidToken, "This API cannot judge the claims of the access token.", "Profile.Accept, Profile.App and Profile.Grants"},
	{CheckBinding, absent}:      {ErrInvalidToken, "This request needs an access token that is bound to its sender.", "the route accepts bound tokens alone"},
	{CheckBinding, unwanted}:    {ErrInvalidToken, "The access token is not bound to a key, and must be sent as a bearer token.", "the client's use of the DPoP scheme"},
	{CheckBinding, another}:     {ErrInvalidToken, "The access token is bound to another sender than the one that shows it.", "the client must use the certificate with which it fetched the token; a renewed one needs a new token (RFC 8705 §6.3)"},
	{CheckClient, absent}:       {ErrInvalidToken, "The access token does not name the client that it was issued to.", "let the authorization server set client_id (RFC 9068 §2.2); Issuer.Clients"},
	{CheckRevoked, absent}:      {ErrInvalidToken, "The access token does not say whose it is, and may be a revoked one.", "let the authorization server name client and subject; revocation.Config.DangerouslyPassUnnamed"},
	{CheckActive, another}:      {ErrInvalidToken, "The authorization server did not confirm this access token.", "introspection answered about another token than it was asked about; Issuer.DangerouslyAcceptAnswerID"},
}

// facts are those of the check, or of its flaw.
func (e *Error) facts() facts {
	if f, ok := finer[flawOf{e.check, e.flaw}]; ok {
		return f
	}
	return checks[e.check]
}

// refuseAs is refuse for another flaw than the usual one.
func refuseAs(check Check, f flaw, text string) *Error {
	return &Error{check: check, flaw: f, text: text}
}
