package command

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/serve"
)

// How a gateway ends if its file does not say.
const defaultDrain = 20 * time.Second

func (p *program) serve() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Stand beside a proxy and decide which requests may go on to the API",
		Long: `Stand beside a proxy and decide which requests may go on to the API behind it.

The proxy asks about each request before it passes it on (auth_request of nginx,
forwardAuth of Traefik, forward_auth of Caddy, ext_authz of Envoy; HAProxy and Apache by
a few lines of Lua). docs/gateway.md has each proxy's configuration.

  serve:
    proxy: nginx
    from: [127.0.0.1/32]           # where the proxy asks from
    routes:
      GET /orders: {scopes: [orders:read]}
      POST /orders: {scopes: [orders:write]}
      GET /health: {public: true}

What no route names is refused, and so is a path that can be read in more than one way.
SIGHUP reads the file again; one with a fault changes nothing. SIGTERM drains.`,
		Example: `  m2mguard serve --config /etc/m2mguard/m2mguard.yaml
  m2mguard serve --check                   read the file, say what is wrong, and end`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := p.read("api", "client")
			if err != nil {
				return err
			}
			log := slog.New(slog.NewJSONHandler(p.Err, nil))
			metrics, observer, err := serve.Metrics()
			if err != nil {
				return failure{exitWrong, err}
			}
			builder := serve.Builder{Log: log, Observer: observer, Offline: check}
			set, err := builder.Build(f)
			if err != nil {
				f.Close()
				return failure{exitWrong, err}
			}
			if check {
				set.Close()
				p.out.Printf("%s: good, %d routes are guarded\n", p.named(), len(set.Gateway.Routes()))
				return nil
			}
			reload := make(chan os.Signal, 1)
			signal.Notify(reload, syscall.SIGHUP)
			defer signal.Stop(reload)
			o := options(f.Serve)
			o.Log, o.Metrics = log, metrics
			o.Listening = func(proxy, admin net.Addr) {
				log.Info("the proxy asks at", "address", fmt.Sprint(proxy), "admin", fmt.Sprint(admin))
			}
			again := func() (*serve.Set, error) { return p.again(&builder, f.Serve) }
			if err := serve.Run(cmd.Context(), set, again, reload, o); err != nil {
				return failure{exitBad, err}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "read the file, say what is wrong with it, and end")
	return cmd
}

// options are what of a file a restart alone changes, with the defaults.
func options(s *config.Serve) serve.Options {
	o := serve.Options{Listen: s.Listen, Admin: s.Admin, Drain: s.Drain, Notice: s.Notice}
	if o.Listen == "" {
		o.Listen = serve.DefaultListen
	}
	switch o.Admin {
	case "":
		o.Admin = serve.DefaultAdmin
	case "off":
		o.Admin = ""
	}
	if o.Drain == 0 {
		o.Drain = defaultDrain
	}
	return o
}

// again reads the file as it is now.
func (p *program) again(b *serve.Builder, before *config.Serve) (*serve.Set, error) {
	f, err := p.read("api", "client")
	if err != nil {
		return nil, err
	}
	set, err := b.Build(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	if f.Serve.Listen != before.Listen || f.Serve.Admin != before.Admin {
		b.Log.Warn("serve.listen or serve.admin changed, which a restart alone takes into use")
	}
	return set, nil
}
