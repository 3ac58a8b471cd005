package command

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/serve"
)

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
			log := slog.New(slog.NewJSONHandler(p.Err, nil))
			metrics, observer, err := serve.Metrics()
			if err != nil {
				return failure{exitWrong, err}
			}
			builder := serve.Builder{Log: log, Observer: observer, Offline: check}
			f, err := p.readFor(builder.Faults, "api", "client")
			if err != nil {
				return err
			}
			set, err := builder.Build(f)
			if err != nil {
				f.Close()
				return p.inFile(err)
			}
			if check {
				set.Close()
				p.out.Printf("%s: good; routes that ask for a token: %d, that are open to everybody: %d\n", p.named(), len(set.Gateway.Routes()), len(set.Gateway.Public()))
				return nil
			}
			reload := make(chan os.Signal, 1)
			signal.Notify(reload, syscall.SIGHUP)
			defer signal.Stop(reload)
			o := serve.OptionsOf(f.Serve)
			o.Log, o.Metrics = log, metrics
			o.Listening = func(proxy, admin net.Addr) {
				log.Info("the proxy asks at", "address", fmt.Sprint(proxy), "admin", fmt.Sprint(admin))
			}
			again := func() (*serve.Set, error) { return p.again(&builder, o) }
			if err := serve.Run(cmd.Context(), set, again, reload, o); err != nil {
				return failure{exitBad, err}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "read the file, say what is wrong with it, and end")
	return cmd
}

// again reads the file as it is now.
func (p *program) again(b *serve.Builder, o serve.Options) (*serve.Set, error) {
	f, err := p.readFor(b.Faults, "api", "client")
	if err != nil {
		return nil, err
	}
	set, err := b.Build(f)
	if err != nil {
		f.Close()
		return nil, p.inFile(err)
	}
	for _, key := range o.Differs(f.Serve) {
		b.Log.Warn("the file says something else than the program goes by until a restart", "key", key)
	}
	return set, nil
}
