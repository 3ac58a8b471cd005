package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/validator"
)

// wellKnown is where a resource's metadata is, before its own path (RFC 9728 §3.1).
const wellKnown = "/.well-known/oauth-protected-resource"

// isBase reports whether a public URL is as httpauth.Config.PublicURL wants it, so that it
// can be asked and shown.
func isBase(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && text == u.Scheme+"://"+u.Host
}

// api looks at the API from where its clients are.
func (e *examination) api(ctx context.Context, base string) {
	defer e.Waiting("asking " + base)()
	if strings.HasPrefix(base, "http://") {
		e.note(Doubtful, base, "public URL", "is http, over which everybody on the path reads tokens", "publish the API by https")
	}
	e.metadata(ctx, base)
	if e.file.API.Probe != "" {
		e.probe(ctx, base)
	}
}

func (e *examination) metadata(ctx context.Context, base string) {
	const what = "metadata"
	resource := base + e.file.API.PublicPathPrefix
	at := base + wellKnown + e.file.API.PublicPathPrefix
	resp, body, err := e.get(ctx, at, "")
	switch {
	case err != nil:
		e.note(Bad, base, what, err.Error(), "see whether the public URL leads to the API, by name, route and certificate")
		return
	case resp.StatusCode != http.StatusOK:
		e.note(Doubtful, base, what, fmt.Sprintf("%s answers %d, wanted 200", at, resp.StatusCode), "auth.MountMetadata(mux) in the API, and let the proxy lead this path there, so that clients find the issuer (RFC 9728)")
		return
	}
	var doc struct {
		Resource   string   `json:"resource"`
		Issuers    []string `json:"authorization_servers"`
		Algorithms []string `json:"dpop_signing_alg_values_supported"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		e.note(Bad, base, what, at+" answers what is no JSON", "something else than the API answers there: see the proxy's routes")
		return
	}
	good := true
	check := func(fine bool, found, do string) {
		if !fine {
			good = false
			e.note(Bad, base, what, found, do)
		}
	}
	check(doc.Resource == resource, fmt.Sprintf("the API calls itself %.100q, wanted %q", doc.Resource, resource), "httpauth.Config.PublicURL and PublicPathPrefix must be what clients use, or proofs of possession fail")
	for _, iss := range e.file.Config.Issuers {
		check(slices.Contains(doc.Issuers, iss.URL), fmt.Sprintf("the API does not name the issuer %s", iss.URL), "is the API that answers there configured by this file?")
	}
	check(e.file.DPoP == nil || len(doc.Algorithms) > 0, "the API takes no proofs of possession", "set validator.Config.DPoP in the API, or leave dpop out here")
	if good {
		e.note(Good, base, what, "the API calls itself "+resource+" and names the issuers", "")
	}
}

// probe asks for a protected route without a token, and with a text that is none: of the
// second the API must say that it is bad, else the field did not arrive.
func (e *examination) probe(ctx context.Context, base string) {
	at := base + e.file.API.Probe
	without, _, err := e.get(ctx, at, "")
	if err != nil {
		e.note(Bad, base, "protected route", err.Error(), "see whether the public URL leads to the API, by name, route and certificate")
		return
	}
	switch status := without.StatusCode; {
	case status == http.StatusUnauthorized && challenged(without):
		e.note(Good, base, "protected route", at+" answers 401 to whoever shows no token", "")
	case status == http.StatusUnauthorized:
		e.note(Doubtful, base, "protected route", at+" answers 401 without a challenge", "see whether the API answers there, and whether the proxy takes WWW-Authenticate away")
		return
	case status < 400:
		e.note(Bad, base, "protected route", fmt.Sprintf("%s answers %d to whoever shows no token", at, status), "guard the route with auth.Require; adapters/guardtest finds such routes in a test")
		return
	default:
		e.note(Doubtful, base, "protected route", fmt.Sprintf("%s answers %d, wanted 401", at, status), "let api.probe name a route that there is")
		return
	}
	with, _, err := e.get(ctx, at, "Bearer "+madeUp(nil))
	const what = "Authorization"
	switch {
	case err != nil:
		e.note(Bad, base, what, err.Error(), "ask again: the answer before this one came")
	case with.StatusCode == http.StatusServiceUnavailable:
		e.note(Bad, base, what, at+" answers 503 to a made-up text: the API cannot ask its issuer", "run doctor where the API runs")
	case strings.Contains(challenge(with), "error="):
		e.note(Good, base, what, "arrives at the API, which refuses a made-up text", "")
		e.challenges(base, without)
	case with.StatusCode == http.StatusUnauthorized:
		e.note(Bad, base, what, "does not arrive: a made-up text in it is answered like none", "a proxy takes the field away: have it passed on (Apache: CGIPassAuth On; nginx: no proxy_set_header Authorization \"\")")
	default:
		e.note(Bad, base, what, fmt.Sprintf("%s answers %d to a made-up text, wanted 401", at, with.StatusCode), "see what stands before the API")
	}
}

// challenges looks whether a proxy lets all of them pass: some write their own instead.
func (e *examination) challenges(base string, resp *http.Response) {
	if e.file.DPoP == nil {
		return
	}
	const what = "proxy headers"
	wanted := []string{"DPoP"}
	if slices.ContainsFunc(e.file.Config.Issuers, func(iss validator.Issuer) bool { return iss.Binding != validator.BindingRequired }) {
		wanted = append(wanted, "Bearer")
	}
	for _, scheme := range wanted {
		if !strings.Contains(", "+strings.ToLower(challenge(resp)), ", "+strings.ToLower(scheme)+" ") {
			e.note(Bad, base, what, "of the challenges, that for "+scheme+" does not arrive at clients", "have the proxy pass on WWW-Authenticate as it is, and write none of its own; or dpop and binding are others in the API than here")
			return
		}
	}
	e.note(Good, base, what, "each challenge arrives at clients", "")
}

func challenge(resp *http.Response) string {
	return strings.Join(resp.Header.Values("WWW-Authenticate"), ", ")
}

func challenged(resp *http.Response) bool {
	c := strings.ToLower(challenge(resp))
	return strings.Contains(c, "bearer") || strings.Contains(c, "dpop")
}

// maxAnswer bounds what is read of the API's answers, in bytes.
const maxAnswer = 256 << 10

func (e *examination) get(ctx context.Context, url, authorization string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%.100q is no URL", url)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	var client http.Client
	if e.file.API.HTTPClient != nil {
		client = *e.file.API.HTTPClient
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp, body, err
}

// proxyField looks at who is believed about clients' certificates.
func (e *examination) proxyField(p *config.ProxyField) {
	const about, what = "configuration", "api.clientCertificate"
	if p.Field == "" || len(p.Peers) == 0 {
		e.note(Bad, about, what, "has no field or no peers", "name the header field, and the networks that proxies connect from")
		return
	}
	good := true
	for _, peer := range p.Peers {
		network, err := netip.ParsePrefix(peer)
		switch {
		case err != nil:
			e.note(Bad, about, what, fmt.Sprintf("%.60q is no network", peer), "write it with its length, such as 10.0.0.0/24 or 10.0.0.7/32")
		case network.Bits() == 0:
			e.note(Bad, about, what, peer+" is everybody: whoever writes "+p.Field+" is believed", "name the networks that proxies connect from, and nothing more")
		case network.Addr().Is4() && network.Bits() < 16, network.Addr().Is6() && network.Bits() < 48:
			e.note(Doubtful, about, what, peer+" is large: whoever is in it is believed about "+p.Field, "name the proxies' own networks")
		default:
			continue
		}
		good = false
	}
	if good {
		e.note(Good, about, what, p.Field+" is believed from "+strings.Join(p.Peers, ", "), "")
	}
}
