package config

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
)

// form is how a file says a Go value that YAML has no form for: as a value of another
// type, of which it is made.
type form struct {
	of      reflect.Type
	words   []string // if not nil, all strings that there are
	make    func(reflect.Value) (reflect.Value, error)
	standIn reflect.Value // in the place of one that cannot be made; invalid for none
}

var forms map[reflect.Type]form

// init, because members of the types here have forms themselves.
func init() {
	forms = map[reflect.Type]form{
		reflect.TypeFor[[]byte](): formOf(func(s string) ([]byte, error) { return []byte(s), nil }),
		reflect.TypeFor[validator.Binding](): words(map[string]validator.Binding{
			"byToken": validator.BindingByToken, "required": validator.BindingRequired,
		}),
		reflect.TypeFor[revocation.WhenStale](): words(map[string]revocation.WhenStale{
			"goOn": revocation.StaleGoOn, "unready": revocation.StaleUnready,
			"refuse": revocation.StaleRefuse, "askIssuer": revocation.StaleAskIssuer,
		}),
		reflect.TypeFor[func(*validator.Token) bool](): words(map[string]func(*validator.Token) bool{
			"subjectIsClient": validator.SubjectIsClient,
		}),
		reflect.TypeFor[netip.Prefix]():             formOf(prefix),
		reflect.TypeFor[Secret]():                   secretForm().or(Secret{Env: "unread", unread: true}),
		reflect.TypeFor[introspection.SecretFunc](): formOf(Secret.secretFunc),
		reflect.TypeFor[introspection.ClientAuth](): formOf(Auth.ClientAuth).or(unreadAuth),
		reflect.TypeFor[*http.Client]():             formOf(TLS.Client).or(http.DefaultClient),
		reflect.TypeFor[dpop.Replays]():             formOf(memory),
		reflect.TypeFor[dpop.Nonces]():              formOf(sealed),
		reflect.TypeFor[func() [][]byte]():          formOf(secrets),
		reflect.TypeFor[*revocation.List]():         formOf(revocation.New),
		reflect.TypeFor[introspection.Shared]():     {of: reflect.TypeFor[string](), words: []string{theFleet}, make: formOf(otherwise).make},
		reflect.TypeFor[*Fleet]():                   formOf(fleetOf),
	}
}

func formOf[S, T any](makeOf func(S) (T, error)) form {
	return form{of: reflect.TypeFor[S](), make: func(said reflect.Value) (reflect.Value, error) {
		made, err := makeOf(said.Interface().(S))
		return reflect.ValueOf(&made).Elem(), err
	}}
}

// or is the form with what stands for a value that cannot be made.
func (f form) or(standIn any) form {
	f.standIn = reflect.ValueOf(standIn)
	return f
}

func words[T any](by map[string]T) form {
	var names []string
	for name := range by {
		names = append(names, name)
	}
	slices.Sort(names)
	f := formOf(func(s string) (T, error) {
		value, known := by[s]
		if !known {
			return value, fmt.Errorf("is another word, wanted %s", strings.Join(names, " or "))
		}
		return value, nil
	})
	f.words = names
	return f
}

// Secret is where a secret is: in the environment or in a file, and never in the
// program's own file, which is copied, mailed and checked in.
type Secret struct {
	Env  string `doc:"Name of the environment variable that holds it."`
	File string `doc:"Path of the file that holds it. One line break at its end is no part of it. It is read anew at each use, so that it may rotate."`

	unread bool // Read returns another one
}

// unreadable is what says where a secret is. Once left, it is not looked for there.
type unreadable interface{ leave() }

var _, _, _, _ unreadable = (*written)(nil), (*Key)(nil), (*Auth)(nil), (*TLS)(nil)

func (w *written) leave() { w.unread = true }
func (k *Key) leave()     { k.unread = true }
func (a *Auth) leave()    { a.unread = true }
func (t *TLS) leave()     { t.unread = true }

// madeUp stands for a secret that is not read. Each is another one, and as long as any
// has to be.
func madeUp() string { return rand.Text() + rand.Text() }

// written is Secret as the file says it. It is another type, so that it has no form.
type written Secret

// secretForm explains what is wrong where somebody wrote the secret itself.
func secretForm() form {
	return formOf(func(w written) (Secret, error) {
		s := Secret(w)
		_, err := s.Read()
		return s, err
	})
}

// maxSecret bounds a secret's file, in bytes.
const maxSecret = 64 << 10

// Read returns the secret as it is now. No error holds any of it.
func (s Secret) Read() (string, error) {
	var text string
	switch {
	case (s.Env == "") == (s.File == ""):
		return "", errors.New("wants one of env and file: secrets come from the environment or a file")
	case s.unread:
		return madeUp(), nil
	case s.Env != "":
		var set bool
		if text, set = os.LookupEnv(s.Env); !set {
			return "", errors.New("names an environment variable that is not set")
		}
	default:
		content, err := readFile(s.File, maxSecret)
		if err != nil {
			return "", err
		}
		text = strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	}
	if strings.TrimSpace(text) == "" {
		return "", errors.New("names a secret that is empty")
	}
	return text, nil
}

func (s Secret) secretFunc() (introspection.SecretFunc, error) {
	text, err := s.Read()
	if err != nil || s.Env != "" {
		return introspection.Secret(text), err
	}
	return func(context.Context) (string, error) { return s.Read() }, nil
}

// readFile reads at most so many bytes. The error says nothing of what is in the file, and
// not its name either: somebody may have written a secret or a key where the name belongs.
func readFile(name string, most int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > most) {
		return nil, errors.New("names a file that cannot be read: it is no file, or too large")
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("names a file that cannot be read: %w", WithoutName(err))
	}
	return content, nil
}

// WithoutName is the error of a file without its name, in whose place somebody may have
// given what the file holds.
func WithoutName(err error) error {
	if at, ok := errors.AsType[*os.PathError](err); ok {
		return at.Err
	}
	return err
}

// TLS is how to connect where the system's roots are not enough, or a certificate of
// the client's own is wanted.
type TLS struct {
	CAFile          string `doc:"Path of the authorities' certificates in PEM that the server's must come from. Default: the system's."`
	CertificateFile string `doc:"Path of the client's certificate in PEM, with those between it and the root, for servers that ask for one (RFC 8705)."`
	KeyFile         string `doc:"Path of its private key in PEM."`

	unread bool
}

// maxPEM bounds a file of certificates, in bytes.
const maxPEM = 1 << 20

// Client connects as t says.
func (t TLS) Client() (*http.Client, error) {
	cfg, err := t.config()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = cfg
	return &http.Client{Transport: transport}, err
}

func (t TLS) config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.unread {
		return cfg, nil
	}
	var faults []error
	if t.CAFile != "" {
		text, err := readFile(t.CAFile, maxPEM)
		cfg.RootCAs = x509.NewCertPool()
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("caFile %w", err))
		case !cfg.RootCAs.AppendCertsFromPEM(text):
			faults = append(faults, errors.New("caFile names a file that holds no certificate in PEM"))
		}
	}
	if t.CertificateFile != "" || t.KeyFile != "" {
		certificate, unread := readFile(t.CertificateFile, maxPEM)
		if unread != nil {
			faults = append(faults, fmt.Errorf("certificateFile %w", unread))
		}
		key, err := readFile(t.KeyFile, maxPEM)
		if err != nil {
			faults = append(faults, fmt.Errorf("keyFile %w", err))
		}
		if unread == nil && err == nil {
			pair, err := tls.X509KeyPair(certificate, key)
			if err != nil {
				faults = append(faults, fmt.Errorf("certificateFile and keyFile: %w", err))
			}
			cfg.Certificates = []tls.Certificate{pair}
		}
	}
	return cfg, errors.Join(faults...)
}

func memory(proofs int) (dpop.Replays, error) {
	if proofs < 1 {
		return nil, fmt.Errorf("is %d, wanted how many proofs are remembered, 1 or more", proofs)
	}
	return dpop.NewMemory(proofs), nil
}

// secrets reads a list of them once.
func secrets(list []Secret) (func() [][]byte, error) {
	var texts [][]byte
	for _, s := range list {
		text, err := s.Read()
		if err != nil {
			return nil, err
		}
		texts = append(texts, []byte(text))
	}
	return func() [][]byte { return texts }, nil
}

func sealed(cfg dpop.SealedConfig) (dpop.Nonces, error) {
	nonces, err := dpop.NewSealed(cfg)
	if err != nil {
		return nil, err
	}
	return nonces, nil
}

func prefix(s string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(s)
	if err != nil || network != network.Masked() {
		return network, errors.New("is no network, wanted its first address and length, such as 10.0.0.0/24 or 127.0.0.1/32")
	}
	return network, nil
}
