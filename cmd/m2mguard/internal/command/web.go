package command

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/page"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// withPage are the flags of explain that mean something beside --web. What the others
// say is filled in on the page.
var withPage = map[string]bool{"web": true, "offline": true, "keys": true, "issuer": true, "config": true, "timeout": true}

// explainOnPage serves the page until ctx ends.
func (p *program) explainOnPage(ctx context.Context, f *explainFlags, flags *pflag.FlagSet, args []string) error {
	var stray []error
	flags.Visit(func(flag *pflag.Flag) {
		if !withPage[flag.Name] {
			stray = append(stray, fmt.Errorf("--%s is not for --web: it is filled in on the page", flag.Name))
		}
	})
	if len(args) > 0 {
		stray = append(stray, errors.New("--web takes no FILE: the token is pasted on the page"))
	}
	if stray != nil {
		return failure{exitWrong, errors.Join(stray...)}
	}
	file, err := p.read(f.leave()...)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := f.fix(file); err != nil {
		return failure{exitWrong, err}
	}
	file.Observer = observe.Observer{Event: func(context.Context, *observe.Event) {}} // the steps say it all
	if !f.offline {
		file.Follow()
	}
	v, err := validator.New(file.Config)
	if err != nil {
		return failure{exitWrong, err}
	}
	defer v.Close()
	c := page.Config{File: p.named(), Offline: f.offline, Timeout: p.timeout}
	for _, iss := range file.Config.Issuers {
		c.Issuers = append(c.Issuers, iss.URL)
	}
	c.Explain = func(ctx context.Context, form page.Form) (validator.Explanation, []page.Fault) {
		request, options, faults := asked(form)
		if faults != nil {
			return validator.Explanation{}, faults
		}
		return explained(ctx, file, v, request, options), nil
	}
	err = page.Serve(ctx, c, func(address string) {
		p.err.Printf("open this address in a browser on this machine; Ctrl-C ends it\n")
		p.out.Printf("%s\n", address)
	})
	if err != nil {
		return failure{exitWrong, fmt.Errorf("--web: %w", err)}
	}
	return nil
}

// asked reads what was filled in on the page.
func asked(form page.Form) (*validator.Request, validator.ExplainOptions, []page.Fault) {
	r := &validator.Request{Scheme: form.Scheme, Token: bareToken(form.Token), Method: form.Method, URL: strings.TrimSpace(form.URL)}
	if r.Method == "" {
		r.Method = "GET"
	}
	o := validator.ExplainOptions{Network: !form.Offline}
	var faults []page.Fault
	blame := func(field, text string) { faults = append(faults, page.Fault{Field: field, Text: text}) }
	if r.Token == "" {
		blame("token", "Paste the token here.")
	}
	if form.Scheme != "Bearer" && form.Scheme != "DPoP" {
		blame("scheme", "Wanted Bearer or DPoP.")
	}
	if at := strings.TrimSpace(form.At); at != "" {
		var err error
		if o.At, err = time.Parse(time.RFC3339, at); err != nil {
			blame("at", "Wanted a time such as 2026-11-26T09:00:00Z (RFC 3339).")
		}
	}
	if names := strings.Fields(form.Scope); len(names) > 0 {
		if strings.ContainsFunc(strings.Join(names, ""), noScope) {
			blame("scope", "Wanted scopes of printable ASCII without quotes and backslashes, with blanks between them (RFC 6749 §3.3).")
		} else {
			rule := scopes.All(names...)
			o.Rule = &rule
		}
	}
	if names := strings.Fields(form.Audience); len(names) > 0 {
		o.Demand = &validator.Demand{Audience: names}
	}
	if proof := bareToken(form.Proof); proof != "" {
		r.Proofs = []string{proof}
	}
	if strings.TrimSpace(form.Certificate) != "" {
		der, err := pemCertificate([]byte(form.Certificate))
		if err != nil {
			blame("certificate", "Wanted one certificate in PEM: what was given "+err.Error()+".")
		}
		r.Certificate = der
	}
	return r, o, faults
}

// pemCertificate is the first certificate of a text.
func pemCertificate(text []byte) ([]byte, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("holds no certificate in PEM")
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return nil, errors.New("holds a certificate that cannot be read")
	}
	return block.Bytes, nil
}
