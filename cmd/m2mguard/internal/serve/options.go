package serve

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/gateway"
)

// Options are what a restart alone changes.
type Options struct {
	Listen string // where the proxy asks: host:port, or unix: and a path
	Admin  string // where operators look: the same; empty for nowhere
	// Metrics is served at /metrics of Admin; nil for none.
	Metrics http.Handler
	// Drain is how long requests may take once the program is told to end, after
	// Ready has said no for Notice.
	Drain, Notice time.Duration
	Log           *slog.Logger
	// Listening is called once, with the addresses that it listens at; nil for nobody.
	Listening func(proxy, admin net.Addr)
}

// Where a gateway listens if its file does not say, and how it ends.
const (
	defaultListen = "127.0.0.1:4180"
	defaultAdmin  = "127.0.0.1:4181"
	defaultDrain  = 20 * time.Second
)

// socket is what an address begins with that is a path.
const socket = "unix:"

// nowhere is an address at which operators find nothing.
const nowhere = "off"

// OptionsOf are what of a file a restart alone changes, with the defaults.
func OptionsOf(s *config.Serve) Options {
	o := Options{Listen: s.Listen, Admin: s.Admin, Drain: s.Drain, Notice: s.Notice}
	if o.Listen == "" {
		o.Listen = defaultListen
	}
	switch o.Admin {
	case "":
		o.Admin = defaultAdmin
	case nowhere:
		o.Admin = ""
	}
	if o.Drain == 0 {
		o.Drain = defaultDrain
	}
	return o
}

// Differs lists the keys of a file that say something else than o, which the program goes
// by until it starts anew.
func (o Options) Differs(s *config.Serve) (keys []string) {
	other := OptionsOf(s)
	for _, key := range []struct {
		name  string
		other bool
	}{
		{"serve.listen", o.Listen != other.Listen}, {"serve.admin", o.Admin != other.Admin},
		{"serve.drain", o.Drain != other.Drain}, {"serve.notice", o.Notice != other.Notice},
	} {
		if key.other {
			keys = append(keys, key.name)
		}
	}
	return keys
}

// checkOptions looks at what is otherwise noticed when the program starts, or ends.
func checkOptions(s *config.Serve) error {
	var faults []error
	o := OptionsOf(s)
	if !isAddress(o.Listen) {
		faults = append(faults, fmt.Errorf("serve.listen is %s, wanted host:port, or unix: and the path of a socket", gateway.Shown(o.Listen)))
	}
	if o.Admin != "" && !isAddress(o.Admin) {
		faults = append(faults, fmt.Errorf("serve.admin is %s, wanted host:port, unix: and the path of a socket, or off", gateway.Shown(o.Admin)))
	}
	if o.Admin == o.Listen {
		faults = append(faults, errors.New("serve.admin is what serve.listen is, wanted another address"))
	}
	if o.Drain < 0 {
		faults = append(faults, fmt.Errorf("serve.drain is %v, wanted 0s or more", o.Drain))
	}
	if o.Notice < 0 {
		faults = append(faults, fmt.Errorf("serve.notice is %v, wanted 0s or more", o.Notice))
	}
	return errors.Join(faults...)
}

// isAddress reports whether somebody could listen there. A port is a number, so that no
// name means another one on another machine.
func isAddress(address string) bool {
	if path, found := strings.CutPrefix(address, socket); found {
		return path != ""
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}
