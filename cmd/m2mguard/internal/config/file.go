package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// File is what the program's file says.
type File struct {
	// Config is what the library is configured by, but for its Issuers, which are made
	// of those here.
	validator.Config

	Issuers []Issuer `doc:"The authorization servers whose tokens are accepted."`
	API     API      `doc:"The API that the tokens are for, as doctor looks at it from outside."`
	Fleet   *Fleet   `doc:"What the API's instances share through Redis or Valkey. revocations, introspection.shared, dpop.replays and dpop.nonces use it where they say: fleet."`
	Client  *Client  `doc:"A client of the API's, as which the command token gets a token."`
	Serve   *Serve   `doc:"The gate beside a proxy, as the command serve runs it."`

	list  notes    // of a list that a file fills
	made  []Danger // in values that were made of what the file says
	lines places   // of each key, by where it stands

	faulty []string // where faults are
}

// Issuer is validator.Issuer, or a provider's preset and what is to be changed in it.
type Issuer struct {
	Provider Provider `doc:"A known provider's preset, with its arguments. The other keys change what it says."`
	FAPI2    bool     `doc:"Holds the issuer to the FAPI 2.0 Security Profile."`

	validator.Issuer
}

// API is how clients reach the API.
type API struct {
	PublicURL         []string     `doc:"What clients call the API by: scheme and host, such as https://api.example.com."`
	PublicPathPrefix  string       `doc:"The path that a proxy cuts off, such as /orders."`
	Probe             string       `doc:"Path of a protected route, such as /orders: doctor asks for it with GET, once without a token and once with one that is none, to see whether a proxy strips the Authorization field."`
	ClientCertificate *ProxyField  `doc:"Where a proxy ends TLS: how it hands the client's certificate on (RFC 8705)."`
	HTTPClient        *http.Client `doc:"How to connect to the API."`
}

// ProxyField is what package forwarded is given.
type ProxyField struct {
	Field string   `doc:"The header field, such as Client-Cert."`
	Peers []string `doc:"The networks that proxies connect from, such as 10.0.0.0/24."`
}

// Client is a client of the authorization server's.
type Client struct {
	Issuer        string                   `doc:"The issuer to discover the token endpoint from. Default: the only one of issuers."`
	TokenEndpoint string                   `doc:"The token endpoint; nothing is discovered then."`
	Auth          introspection.ClientAuth `doc:"How the client authenticates."`
	Scope         string                   `doc:"Scopes to ask for, with blanks between them. Default: the client's own."`
	Audience      string                   `doc:"The member audience of the request, for servers that want it (Auth0, Keycloak)."`
	Resource      []string                 `doc:"The member resource of the request (RFC 8707)."`
	DPoP          bool                     `doc:"Asks for a token that is bound to a new key (RFC 9449)."`
	HTTPClient    *http.Client             `doc:"How to connect to the token endpoint and to the API; its certificate is the client's."`
}

// maxFile bounds a file, in bytes. A thousand issuers take less.
const maxFile = 1 << 20

// Read reads a file from r. The error joins every fault, each with its line, also
// those that validator.New finds in what could be read. Whoever gets a File closes it.
//
// leave names sections, by their keys, whose secrets, keys and certificates are not read
// from where they are, because nothing is to be done with them: "client", or "issuers".
// Others, which are good for nothing, stand in their place.
func Read(r io.Reader, leave ...string) (*File, error) {
	return ReadFor(r, func(*File) error { return nil }, leave...)
}

// ReadFor is Read for a command that finds more faults in a file. If there are any, also
// tells those that it finds in what could be read, and all are told at once; but for what
// it says of a key that is at fault already.
func ReadFor(r io.Reader, also func(*File) error, leave ...string) (*File, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxFile:
		return nil, fmt.Errorf("has more than %d bytes", maxFile)
	}
	var document, second yaml.Node
	reader := yaml.NewDecoder(bytes.NewReader(text))
	switch err := reader.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, errNoText
	case err != nil:
		return nil, noYAML(err)
	}
	d := decoder{leave: leave, lines: make(places)}
	f := new(File)
	d.list = &f.list
	d.decode(document.Content[0], reflect.ValueOf(f).Elem(), "")
	if err := reader.Decode(&second); !errors.Is(err, io.EOF) {
		d.fault(&second, "", "a second document begins, wanted one")
	}
	f.made = d.dangers
	f.lines, f.faulty = d.lines, d.faulty
	for _, iss := range f.Issuers {
		if iss.FAPI2 {
			iss.Issuer = providers.FAPI2(iss.Issuer)
		}
		f.Config.Issuers = append(f.Config.Issuers, iss.Issuer)
	}
	v, err := validator.New(f.Config)
	if err != nil {
		for _, err := range flatten(err) {
			d.faults = append(d.faults, f.placed(err))
		}
	} else {
		v.Close()
	}
	if d.faults != nil {
		more := f.Locate(errors.Join(f.beside(also(f))...))
		d.faults = append(d.faults, flatten(more)...)
		inOrder(d.faults)
		f.Close()
		return nil, errors.Join(d.faults...)
	}
	return f, nil
}

// yamlLine is where a fault is, as the YAML library says.
var yamlLine = regexp.MustCompile(`\bline [0-9]+`)

// noYAML says where a text is no YAML, and of what kind the fault is, without the name of
// an anchor, a tag or a directive that the YAML library quotes: it may be a misplaced secret.
func noYAML(err error) error {
	text := err.Error()
	kind := "wanted what a YAML reader understands"
	switch {
	case strings.Contains(text, "anchor"):
		kind = "an alias (*) has no anchor (&), or is in it: a value that begins with * wants quotes"
	case strings.Contains(text, "tag"):
		kind = "a tag (!) is wrong: a value that begins with ! wants quotes"
	case !strings.ContainsAny(text, "'\"`"):
		return fmt.Errorf("is no YAML: %w", err)
	}
	if line := yamlLine.FindString(text); line != "" {
		kind = line + ": " + kind
	}
	return errors.New("is no YAML: " + kind)
}

// firstReading is how long the list of revocations may take to be read.
const firstReading = 10 * time.Second

// WaitForRevocations waits until the list was read for the first time, whatever happens
// to tokens until then, but no longer than until its file is known to be at fault. The
// error says in one line why it was not read, or is the list's own.
func (f *File) WaitForRevocations(ctx context.Context) error {
	bound, cancel := context.WithTimeout(ctx, firstReading)
	defer cancel()
	for {
		changed := f.Revocations.Changed()
		switch {
		case f.Revocations.Stats().Loaded:
			return f.Revocations.Ready()
		case f.FollowsFleet():
			return errors.New("the list of revocations was not read: Redis is not asked")
		}
		select {
		case <-changed:
		case <-f.list.any():
			return f.unread()
		case <-bound.Done():
			return f.unread()
		}
	}
}

// unread says why the list was not read, as far as that is known.
func (f *File) unread() error {
	faults := f.list.all()
	if f.Fleet != nil {
		faults = append(faults, f.Fleet.Told()...)
	}
	if faults == nil {
		faults = []string{"nothing came in time"}
	}
	told := strings.ReplaceAll(strings.Join(faults, "; "), "revocation.Config.File", "revocations.file") // as the file has it
	return fmt.Errorf("the list of revocations was not read: %s", told)
}

// Observe has o be told what is told of the list, and of what the fleet shares, also
// what was told already.
func (f *File) Observe(o observe.Observer) {
	f.list.pass(o)
	if f.Fleet != nil {
		f.Fleet.notes.pass(o)
	}
}

// Close ends what Read and Follow started: the watch of a file of revocations, and the
// connections to Redis.
func (f *File) Close() {
	if f.Fleet != nil {
		f.Fleet.close()
	}
	if f.Revocations != nil {
		f.Revocations.Close()
	}
}
