// Package serve runs a gateway: it listens for the proxy and for operators, takes a new
// configuration without losing a request, and drains before it ends.
package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/gateway"
	"github.com/m2mguard/m2mguard/validator"
)

// Set is what one reading of the configuration makes. It serves until the next one is
// there, and then until its last request is answered.
type Set struct {
	Gateway   *gateway.Gateway
	Validator *validator.Validator
	// Close ends what the set has started; it is called once.
	Close func()

	users atomic.Int64 // requests that it answers, and one while it serves
}

// server runs one.
type server struct {
	now      atomic.Pointer[Set]
	draining atomic.Bool
	options  Options
}

// Time-outs of connections: a question has no body, and the proxy is near.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10 // a token of the longest kind and a certificate fit
	readyTimeout  = 5 * time.Second
)

// Run serves first, and whatever again makes each time that reload gives the word, until
// ctx ends; then it drains. What cannot be made is told and changes nothing. The error is
// about listening.
func Run(ctx context.Context, first *Set, again func() (*Set, error), reload <-chan os.Signal, o Options) error {
	s := &server{options: o}
	first.users.Store(1)
	s.now.Store(first)
	defer func() { s.now.Load().leave() }()

	asked, err := listen(o.Listen)
	if err != nil {
		return err
	}
	servers := []*http.Server{s.over(http.HandlerFunc(s.decide))}
	listeners := []net.Listener{asked}
	var admin net.Addr
	if o.Admin != "" {
		l, err := listen(o.Admin)
		if err != nil {
			return errors.Join(err, asked.Close())
		}
		servers, listeners, admin = append(servers, s.over(s.admin())), append(listeners, l), l.Addr()
	}
	ended := make(chan error, len(servers))
	for n, server := range servers {
		go func() { ended <- server.Serve(listeners[n]) }()
	}
	if o.Listening != nil {
		o.Listening(asked.Addr(), admin)
	}
	for running := true; running; {
		select {
		case <-reload:
			s.reload(ctx, again)
		case err := <-ended:
			return errors.Join(err, stop(servers, 0))
		case <-ctx.Done():
			running = false
		}
	}
	s.draining.Store(true) // whoever asks whether it is ready sends nothing more
	o.Log.LogAttrs(context.WithoutCancel(ctx), slog.LevelInfo, "draining")
	sleep(o.Notice)
	return stop(servers, o.Drain)
}

// sleep is what tests have end when they have looked.
var sleep = time.Sleep

// stop ends servers, within a time for requests that are under way.
func stop(servers []*http.Server, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var faults []error
	for _, server := range servers {
		if err := server.Shutdown(ctx); err != nil {
			faults = append(faults, server.Close())
		}
	}
	return errors.Join(faults...)
}

func (s *server) over(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.options.Log.Handler(), slog.LevelWarn),
	}
}

// listen listens at an address. A socket that a program left behind is removed; one that
// somebody listens at is a fault.
func listen(address string) (net.Listener, error) {
	path, found := strings.CutPrefix(address, socket)
	if !found {
		return net.Listen("tcp", address)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		if c, err := net.Dial("unix", path); err == nil {
			return nil, errors.Join(fmt.Errorf("somebody listens at %s already", path), c.Close())
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return net.Listen("unix", path)
}

// reload takes a new set into use, if there is one.
func (s *server) reload(ctx context.Context, again func() (*Set, error)) {
	next, err := again()
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			s.options.Log.LogAttrs(ctx, slog.LevelError, "the new configuration is refused, the old one serves on", slog.String("fault", strings.TrimSpace(line)))
		}
		return
	}
	next.users.Store(1)
	if err := s.warm(ctx, next); err != nil {
		s.options.Log.LogAttrs(ctx, slog.LevelError, "the new configuration is not ready, the old one serves on", slog.String("fault", err.Error()))
		next.leave()
		return
	}
	s.now.Swap(next).leave()
	s.options.Log.LogAttrs(ctx, slog.LevelInfo, "the new configuration serves")
}

// warm waits until a new set has the keys that it needs: it begins with none, and whoever
// the old one lets in is not to be refused because an issuer is away.
func (s *server) warm(ctx context.Context, next *Set) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return next.Validator.Ready(ctx)
}

// enter is the set that serves now, kept until leave is called.
func (s *server) enter() *Set {
	for {
		set := s.now.Load()
		if users := set.users.Load(); users > 0 && set.users.CompareAndSwap(users, users+1) {
			return set
		}
	}
}

// leave closes the set behind its last user.
func (set *Set) leave() {
	if set.users.Add(-1) == 0 && set.Close != nil {
		set.Close()
	}
}

func (s *server) decide(w http.ResponseWriter, r *http.Request) {
	set := s.enter()
	defer set.leave()
	set.Gateway.ServeHTTP(w, r)
}

// admin is what operators and the API behind look at.
func (s *server) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /ready", s.ready)
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		set := s.enter()
		defer set.leave()
		keys := set.Gateway.KeySet()
		if keys == nil {
			http.Error(w, "identities are plain header fields here, which no key signs", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", "max-age=60")
		_, _ = w.Write(keys) // who asked may have gone
	})
	mux.HandleFunc("GET /.well-known/oauth-protected-resource", func(w http.ResponseWriter, r *http.Request) {
		set := s.enter()
		defer set.leave()
		set.Gateway.Metadata().ServeHTTP(w, r)
	})
	if s.options.Metrics != nil {
		mux.Handle("GET /metrics", s.options.Metrics)
	}
	return mux
}

// ready says whether requests can be answered. The reason is for operators: it names
// issuers, and nothing that came with a request.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	set := s.enter()
	defer set.leave()
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := set.Validator.Ready(ctx); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
