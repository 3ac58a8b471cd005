package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/fleet"
)

// redis looks at the Redis that instances share, as the library's client reaches it, and
// reports whether it answers.
func (e *examination) redis(ctx context.Context) bool {
	shared := e.file.Fleet
	if shared == nil {
		return false
	}
	about := aboutFleet(shared)
	defer e.Waiting("asking Redis")()
	e.inClear(about, shared.Config.URL)
	key := "{m2mguard:" + shared.Config.Name + "}:" + madeUp(nil)
	err := shared.Conn().Session(ctx, key, func(do fleet.Do) error {
		r := &redis{examination: e, about: about, key: key, shared: shared, do: do}
		return r.look(ctx)
	})
	refused, is := errors.AsType[fleet.Refusal](err)
	switch {
	case is && strings.HasPrefix(string(refused), "NOPERM"):
		e.note(Bad, about, "rights", string(refused), "give the ACL user (fleet.user) the commands and keys that docs/fleet.md lists, with this fleet.name in them")
	case err != nil:
		e.note(Bad, about, "redis", err.Error(), "see fleet.url, fleet.user with its password, fleet.tls, and whether this machine may connect there")
	}
	return err == nil
}

func aboutFleet(shared *config.Fleet) string { return "fleet " + shared.Config.Name }

// inClear notes a password that others on the path can read.
func (e *examination) inClear(about, address string) {
	at, err := url.Parse(address)
	if err != nil || at.Scheme != "redis" || at.User == nil {
		return
	}
	host := at.Hostname()
	ip, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !ip.IsLoopback()) {
		e.note(Doubtful, about, "tls", "the password goes to "+net.JoinHostPort(host, at.Port())+" in clear", "let fleet.url be rediss://, and the server have TLS")
	}
}

// instances tells who else is up, and whether their secrets are the file's.
func (e *examination) instances(ctx context.Context) {
	shared := e.file.Fleet
	about := aboutFleet(shared)
	defer e.Waiting("listening who else is up")()
	heard, err := shared.Listen(ctx)
	if err != nil {
		e.note(Bad, about, "instances", err.Error(), "ask again: Redis answered before")
		return
	}
	switch n := len(heard.Live); n {
	case 0:
		e.note(Good, about, "instances", "none is up beside this program; if the API is, fleet.name is not its fleet.Config.Name", "")
	default:
		e.note(Good, about, "instances", fmt.Sprintf("%d up beside this program", n), "")
	}
	if n := len(heard.Silent); n > 0 {
		e.note(Doubtful, about, "instances", fmt.Sprintf("%d fell silent without a word", n), "was it killed, or is it cut off from Redis? Else it ended without Close: call Close of the fleet and of the validator where the program ends")
	}
	switch {
	case heard.Unread > 0:
		e.note(Bad, about, "secrets", fmt.Sprintf("%d heartbeats came that another secret has sealed", heard.Unread), "let fleet.secrets and fleet.Config.Secrets of each instance be the same bytes; while they rotate, the other one second (docs/fleet.md)")
	case len(heard.Live) > 0:
		e.note(Good, about, "secrets", "are those of the instances that are up", "")
	}
	for _, text := range shared.Told() {
		e.note(Doubtful, about, "told", text, "docs/fleet.md says what each instance does about it by itself")
	}
}
