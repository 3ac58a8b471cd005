package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/term"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/token"
)

// tokenFlags are what the command line says in the place of the file's client.
type tokenFlags struct {
	auth   config.Auth
	tls    config.TLS
	client config.Client // Issuer, TokenEndpoint, Scope, Audience, Resource, DPoP
	call   string
	method string
	print  bool
}

func (p *program) token() *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Get a token by client credentials, and call the API with it",
		Long: `Get a token by client credentials, as the client of the file or of the flags, say what
it is good for, and call the API with it. The token itself is written only by --print, and
then alone on standard output.

Methods: client_secret_basic, client_secret_post, private_key_jwt, and tls_client_auth
with --certificate-file. With --dpop the token is bound to a new key (RFC 9449), and the
call proves it; a nonce that the issuer or the API asks for is used. With
--certificate-file the token may be bound to the certificate (RFC 8705), and the call
shows it.

Exit codes: 0 a token came, and the call was answered with less than 400; 1 the issuer
or the API refused, or could not be reached; 2 the command line or the file is wrong.`,
		Example: `  m2mguard token --call https://api.example.com/orders
  m2mguard token --scope orders:write --dpop --call https://api.example.com/orders -X POST
  ORDERS_SECRET=… m2mguard token --issuer https://id.example.com \
      --client-id reports --secret-env ORDERS_SECRET`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.getToken(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.call, "call", "", "call the API at this `URL` with the token")
	flags.StringVarP(&f.method, "request", "X", http.MethodGet, "the method of that call")
	flags.BoolVar(&f.print, "print", false, "write the token, which is as good as a password while it lives")
	flags.StringVar(&f.client.Issuer, "issuer", "", "discover the token endpoint from this issuer")
	flags.StringVar(&f.client.TokenEndpoint, "token-url", "", "the token endpoint")
	flags.StringVar(&f.client.Scope, "scope", "", "scopes to ask for, with blanks between them")
	flags.StringVar(&f.client.Audience, "audience", "", "the member audience of the request")
	flags.StringArrayVar(&f.client.Resource, "resource", nil, "the member resource of the request (RFC 8707); may be repeated")
	flags.BoolVar(&f.client.DPoP, "dpop", false, "ask for a token that is bound to a new key")
	flags.StringVar(&f.auth.ClientID, "client-id", "", "the client id; takes the place of the file's client")
	flags.StringVar(&f.auth.Method, "method", "client_secret_basic", "how the client authenticates")
	flags.StringVar(&f.auth.Secret.Env, "secret-env", "", "environment variable that holds the client secret")
	flags.StringVar(&f.auth.Secret.File, "secret-file", "", "file that holds the client secret")
	flags.StringVar(&f.auth.KeyFile, "key-file", "", "private key in PEM for private_key_jwt")
	flags.StringVar(&f.auth.KeyID, "key-id", "", "its kid")
	flags.StringVar(&f.auth.Algorithm, "algorithm", "", "what it signs with, such as RS256")
	flags.StringVar(&f.tls.CAFile, "ca-file", "", "authorities in PEM that servers' certificates must come from")
	flags.StringVar(&f.tls.CertificateFile, "certificate-file", "", "the client's certificate in PEM")
	flags.StringVar(&f.tls.KeyFile, "certificate-key-file", "", "its private key in PEM")
	return cmd
}

func (p *program) getToken(cmd *cobra.Command, f *tokenFlags) error {
	request, err := p.request(cmd.Flags(), f)
	if err != nil {
		return failure{exitWrong, err}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), p.timeout)
	defer cancel()
	end := p.err.Waiting("asking for a token")
	t, err := token.Get(ctx, request)
	end()
	if err != nil {
		return failure{exitBad, err}
	}
	if f.print {
		p.out.Printf("%s\n", t.Text())
	}
	p.describe(t, request.DPoP)
	if f.call == "" {
		return nil
	}
	where, _, _ := strings.Cut(f.call, "?")
	defer p.err.Waiting("calling " + where)()
	return p.call(ctx, t, f)
}

// describe says what the token is good for, on standard error, so that --print is alone
// on standard output.
func (p *program) describe(t *token.Token, wanted bool) {
	lifetime, scope := "the issuer does not say for how long", "the scopes that were asked for"
	if t.ExpiresIn > 0 {
		lifetime = "for " + t.ExpiresIn.String()
	}
	if t.Scope != "" {
		scope = fmt.Sprintf("scope %.300q", t.Hide(t.Scope))
	}
	bound := ""
	switch {
	case t.Bound():
		bound = ", bound to a new key"
	case wanted:
		bound = ", not bound: the issuer took no notice of the proof"
	}
	p.err.Printf("token %s\n", term.Clean(fmt.Sprintf("of type %.40q, good %s, %s%s", t.Hide(t.Type), lifetime, scope, bound)))
}

// maxShown bounds what is shown of an API's answer, in bytes, and beyond what is read to
// see whether a piece of the token begins before that and goes on.
const (
	maxShown = 64 << 10
	beyond   = 1 << 10
)

// call calls the API, and writes its answer without the token, if it is in there.
func (p *program) call(ctx context.Context, t *token.Token, f *tokenFlags) error {
	resp, err := t.Call(ctx, f.method, f.call)
	if err != nil {
		return failure{exitBad, err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxShown+beyond))
	if err != nil {
		return failure{exitBad, token.Told(resp.Request, err)}
	}
	p.err.Printf("%s\n", term.Clean(t.Hide(resp.Status)))
	for _, name := range []string{"WWW-Authenticate", "Retry-After", "Location"} {
		for _, value := range resp.Header.Values(name) {
			p.err.Printf("%s: %s\n", name, term.Clean(t.Hide(value)))
		}
	}
	out := p.out
	if f.print {
		out = p.err // the token is alone on standard output
	}
	shown := t.Hide(string(body))
	for line := range strings.Lines(shown[:min(len(shown), maxShown)]) {
		out.Printf("%s\n", term.Clean(strings.TrimRight(line, "\r\n")))
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return failure{exitBad, nil}
	}
	return nil
}

// request is what the file's client and the flags say together.
func (p *program) request(flags *pflag.FlagSet, f *tokenFlags) (token.Request, error) {
	var client config.Client
	var allowHTTP bool
	var faults []error
	if _, err := os.Stat(p.named()); err == nil || f.auth.ClientID == "" || p.file != "" {
		file, err := p.read("api", "dpop", "fleet", "issuers", "revocations", "serve")
		if err != nil {
			return token.Request{}, err
		}
		defer file.Close()
		if file.Client != nil {
			client = *file.Client
		}
		if client.Issuer == "" && len(file.Config.Issuers) == 1 {
			client.Issuer = file.Config.Issuers[0].URL
		}
		for _, iss := range file.Config.Issuers {
			allowHTTP = allowHTTP || iss.DangerouslyAllowHTTP && iss.URL == client.Issuer
		}
	}
	if f.auth.ClientID != "" {
		auth, err := f.auth.ClientAuth()
		if err != nil {
			faults = append(faults, fmt.Errorf("--client-id and its flags: the client %w", err))
		}
		client.Auth = auth
	}
	if f.tls != (config.TLS{}) {
		over, err := f.tls.Client()
		if err != nil {
			faults = append(faults, fmt.Errorf("--ca-file, --certificate-file and --certificate-key-file: %w", err))
		}
		client.HTTPClient = over
	}
	flags.Visit(func(flag *pflag.Flag) {
		switch flag.Name {
		case "issuer":
			client.Issuer, allowHTTP = f.client.Issuer, false
		case "token-url":
			client.TokenEndpoint, allowHTTP = f.client.TokenEndpoint, false
		case "scope":
			client.Scope = f.client.Scope
		case "audience":
			client.Audience = f.client.Audience
		case "resource":
			client.Resource = f.client.Resource
		case "dpop":
			client.DPoP = f.client.DPoP
		}
	})
	if client.Auth == nil && faults == nil {
		faults = append(faults, errors.New("there is no client: wanted client.auth in the file, or --client-id"))
	}
	if client.Issuer == "" && client.TokenEndpoint == "" {
		faults = append(faults, errors.New("nobody to ask: wanted client.issuer or client.tokenEndpoint in the file, --issuer or --token-url"))
	}
	r := token.Request{
		Issuer: client.Issuer, Endpoint: client.TokenEndpoint, Auth: client.Auth, Scope: client.Scope, Audience: client.Audience,
		Resource: client.Resource, DPoP: client.DPoP, MTLS: certified(client.HTTPClient), HTTPClient: client.HTTPClient, AllowHTTP: allowHTTP,
	}
	if f.call != "" {
		if err := r.CanCall(f.method, f.call); err != nil {
			faults = append(faults, fmt.Errorf("--call: %w", err))
		}
	}
	return r, errors.Join(faults...)
}

// certified reports whether a client shows a certificate.
func certified(client *http.Client) bool {
	if client == nil {
		return false
	}
	transport, ok := client.Transport.(*http.Transport)
	return ok && transport.TLSClientConfig != nil && len(transport.TLSClientConfig.Certificates) > 0
}
