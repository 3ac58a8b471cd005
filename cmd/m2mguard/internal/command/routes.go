package command

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/gateway"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/routes"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/serve"
)

func (p *program) routes() *cobra.Command {
	var from, format, tokenURL string
	cmd := &cobra.Command{
		Use:   "routes",
		Short: "Write who may do what: a page, or an OpenAPI fragment",
		Long: `Write who may do what, of the routes of the file's serve section, or of the list that an
API writes of its own with json.Marshal(auth.Routes()).

Markdown is a page for people: each route with what it needs, and each scope with the
routes that name it. OpenAPI is a fragment of a 3.1 document in JSON: the security of each
operation, the scheme, and the answers to refused requests.`,
		Example: `  m2mguard routes > ACCESS.md
  m2mguard routes --from routes.json --format openapi --token-url https://id.example.com/token`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			all, err := p.listed(from)
			if err != nil {
				return err
			}
			var text []byte
			switch format {
			case "markdown":
				text = []byte(routes.Markdown(all))
			case "openapi":
				if text, err = routes.OpenAPI(all, tokenURL); err != nil {
					return failure{exitWrong, err}
				}
				text = append(text, '\n')
			default:
				return failure{exitWrong, fmt.Errorf("--format is %s, wanted markdown or openapi", gateway.Shown(format))}
			}
			if _, err := p.Out.Write(text); err != nil {
				return failure{exitWrong, err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "a list of routes in JSON; - for standard input. Default: serve.routes of the file")
	cmd.Flags().StringVar(&format, "format", "markdown", "markdown or openapi")
	cmd.Flags().StringVar(&tokenURL, "token-url", "", "where clients get tokens, for OpenAPI's flow of client credentials")
	return cmd
}

// listed are the routes of a list, or of the program's file.
func (p *program) listed(from string) ([]routes.Route, error) {
	var r io.Reader
	switch from {
	case "":
		return p.ofFile()
	case "-":
		r = p.In
	default:
		file, err := os.Open(from)
		if err != nil {
			return nil, failure{exitWrong, err}
		}
		defer file.Close()
		r = file
	}
	all, err := routes.Read(r)
	if err != nil {
		return nil, failure{exitWrong, fmt.Errorf("the list of routes %w", err)}
	}
	return all, nil
}

// ofFile are the routes of the file's gateway.
func (p *program) ofFile() ([]routes.Route, error) {
	f, err := p.read("api", "client", "dpop", "fleet", "issuers", "revocations", "serve")
	if err != nil {
		return nil, err
	}
	builder := serve.Builder{Log: slog.New(slog.DiscardHandler), Offline: true}
	set, err := builder.Build(f)
	if err != nil {
		f.Close()
		return nil, p.inFile(err)
	}
	defer set.Close()
	text, err := json.Marshal(set.Gateway.Routes())
	if err != nil {
		return nil, failure{exitWrong, err}
	}
	var all []routes.Route
	if set.Gateway.Routes() != nil {
		if all, err = routes.Read(strings.NewReader(string(text))); err != nil {
			return nil, failure{exitWrong, err}
		}
	}
	for _, pattern := range set.Gateway.Public() {
		all = append(all, routes.Route{Pattern: pattern, Kind: routes.Public})
	}
	return all, nil
}
