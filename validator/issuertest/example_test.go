package issuertest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"

	"golang.org/x/oauth2/clientcredentials"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// A program starts an issuer, and a client gets a token from it.
func ExampleStart() {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()

	client := clientcredentials.Config{
		ClientID:     issuertest.ClientID,
		ClientSecret: issuertest.ClientSecret,
		TokenURL:     iss.TokenURL(),
		Scopes:       []string{"orders:read"},
	}
	token, err := client.Token(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.TokenType, token.Extra("scope"))
	// Output: Bearer orders:read
}

// An opaque token means something to the issuer alone, until it is revoked.
func ExampleIssuer_Opaque() {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()

	token := iss.Opaque(issuertest.Claims{Scope: "orders:read"})
	active := func() bool {
		resp, err := iss.Client().PostForm(iss.IntrospectionURL(), url.Values{
			"client_id": {issuertest.ClientID}, "client_secret": {issuertest.ClientSecret}, "token": {token},
		})
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		var answer struct{ Active bool }
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			log.Fatal(err)
		}
		return answer.Active
	}
	fmt.Println(active())
	iss.Revoke(token)
	fmt.Println(active())
	// Output:
	// true
	// false
}

// An endpoint fails until the fault is taken back.
func ExampleIssuer_SetFault() {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()

	status := func() int {
		resp, err := iss.Client().Get(iss.JWKSURL())
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	iss.SetFault(issuertest.JWKS, issuertest.Respond(http.StatusBadGateway, nil, "no route"))
	fmt.Println(status())
	iss.ClearFaults()
	fmt.Println(status(), iss.Requests(issuertest.JWKS))
	// Output:
	// 502
	// 200 2
}
