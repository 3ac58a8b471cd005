package config

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/revocation"
)

// Fleet is what the API's instances share, and how its Redis is reached. Reading a file
// connects nowhere.
type Fleet struct {
	*fleet.Fleet
	Config fleet.Config

	// list stands where the file says "revocations: fleet" until File.Follow.
	list *revocation.List

	notes notes
}

// fleetSection is what the file says of it.
type fleetSection struct {
	URL      string `doc:"Where Redis or Valkey is: redis://, rediss:// (TLS) or unix://, without user and password. More nodes or sentinels follow as ?addr=HOST:PORT, with &master_set=NAME for sentinels."`
	User     string `doc:"The ACL user. Default: Redis' own default user."`
	Password Secret `doc:"Its password."`
	Secrets  []Key  `doc:"What is sealed with: one or two of at least 32 bytes each, the same as in the API. The first one seals, and both open."`
	TLS      TLS    `doc:"How to connect by rediss, where the system's roots are not enough or the server wants a certificate."`

	fleet.Config
}

// Key is a secret that is bytes, and not a text.
type Key struct {
	Env      string `doc:"Name of the environment variable that holds it."`
	File     string `doc:"Path of the file that holds it."`
	Encoding string `doc:"What the API makes its bytes of: text, which is taken as it is, but for one line break at its end; raw, with nothing left off, for files alone; hex or base64. Default text."`

	unread bool
}

// Encodings lists the values of Key.Encoding.
var Encodings = []string{"text", "raw", "hex", "base64"}

// read returns the bytes. No error holds any of them.
func (k Key) read() ([]byte, error) {
	if k.unread {
		return []byte(madeUp()), nil
	}
	if k.Encoding == "raw" {
		if k.Env != "" || k.File == "" {
			return nil, errors.New("has the encoding raw, which is for file")
		}
		content, err := readFile(k.File, maxSecret)
		return content, err
	}
	text, err := Secret{Env: k.Env, File: k.File}.Read()
	if err != nil {
		return nil, err
	}
	var made []byte
	switch k.Encoding {
	case "", "text":
		return []byte(text), nil
	case "hex":
		made, err = hex.DecodeString(strings.TrimSpace(text))
	case "base64":
		made, err = base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	default:
		return nil, fmt.Errorf("has another encoding than %s", strings.Join(Encodings, ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("is not encoded in %s", k.Encoding)
	}
	return made, nil
}

// fleetOf makes the fleet. It tells all that is wrong at once: what cannot be read is
// made up meanwhile.
func fleetOf(s fleetSection) (*Fleet, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	f := &Fleet{Config: s.Config}
	f.Config.URL = s.URL
	address, err := url.Parse(s.URL)
	switch {
	case err != nil:
		fault("url cannot be read, wanted redis://, rediss:// or unix://, and host:port")
		f.Config.URL = nowhere
	case address.User != nil:
		fault("url holds a user or a password, wanted them as user: NAME and password: {env: NAME} or {file: PATH}")
		f.Config.URL = nowhere
	case s.URL == "":
	case s.Password != (Secret{}):
		password, err := s.Password.Read()
		if err != nil {
			fault("password %v", err)
		}
		address.User = url.UserPassword(s.User, password)
		f.Config.URL = address.String()
	case s.User != "":
		fault("user has no password, wanted password: {env: NAME} or {file: PATH}")
	}
	var secrets [][]byte
	for n, k := range s.Secrets {
		secret, err := k.read()
		if err != nil {
			fault("secrets[%d] %v", n, err)
			secret = []byte(madeUp())
		}
		secrets = append(secrets, secret)
	}
	if len(s.Secrets) == 0 {
		fault("secrets is missing, wanted those of the API, such as [{file: PATH}]")
		secrets = [][]byte{[]byte(madeUp())}
	}
	f.Config.Secrets = func() [][]byte { return secrets }
	if s.TLS != (TLS{}) {
		if f.Config.TLS, err = s.TLS.config(); err != nil {
			fault("tls.%v", err)
		}
	}
	f.Config.Observer = f.notes.observer()
	if f.Fleet, err = fleet.New(f.Config); err != nil {
		for _, err := range flatten(err) {
			fault("%s", strings.TrimPrefix(err.Error(), "fleet: "))
		}
		return nil, errors.Join(faults...)
	}
	if f.list, err = revocation.New(s.Revocations); err != nil {
		fault("%v", err)
	}
	if faults != nil {
		f.Fleet.Close()
		if f.list != nil {
			f.list.Close()
		}
		return nil, errors.Join(faults...)
	}
	return f, nil
}

// nowhere stands for an address that cannot be read.
const nowhere = "rediss://unread.invalid"

// Told is what failed until now, each fault once.
func (f *Fleet) Told() []string { return f.notes.all() }

func (f *Fleet) close() {
	f.Fleet.Close()
	f.list.Close()
}

// theFleet is the word by which a field is what the file's fleet shares.
const theFleet = "fleet"

// shares are the fields that may be.
var shares = map[reflect.Type]func(*Fleet) any{
	reflect.TypeFor[*revocation.List]():     func(f *Fleet) any { return f.list },
	reflect.TypeFor[dpop.Replays]():         func(f *Fleet) any { return f.Replays() },
	reflect.TypeFor[dpop.Nonces]():          func(f *Fleet) any { return f.Nonces() },
	reflect.TypeFor[introspection.Shared](): func(f *Fleet) any { return f.Answers() },
}

// share fills a field in with what the fleet shares.
func (d *decoder) share(n *yaml.Node, v reflect.Value, path string) {
	switch {
	case d.fleet != nil:
		v.Set(reflect.ValueOf(shares[v.Type()](d.fleet)))
	case !d.fleetNamed:
		d.fault(n, path, "is fleet, and there is none: wanted the key fleet with url, name and secrets")
	}
}

// otherwise is what is wrong where somebody wrote another word.
func otherwise(string) (introspection.Shared, error) {
	return nil, errors.New("is another word, wanted fleet")
}

// FollowsFleet reports whether the file says "revocations: fleet", and Follow was not
// called yet.
func (f *File) FollowsFleet() bool {
	return f.Fleet != nil && f.Revocations != nil && f.Revocations == f.Fleet.list
}

// Follow has the list of revocations be filled from Redis, if the file says so: this
// process is an instance from now on. Until then the list is one that nobody fills.
func (f *File) Follow() {
	if f.FollowsFleet() {
		f.Revocations = f.Fleet.Revocations()
	}
}
