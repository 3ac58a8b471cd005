package command

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
)

func (p *program) schema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Write the JSON Schema of the file",
		Long: `Write the JSON Schema of the file (draft 2020-12), made of what this program reads.
Editors complete and check a file that names it in its first line:

  # yaml-language-server: $schema=m2mguard.schema.json`,
		Example: `  m2mguard schema > m2mguard.schema.json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			encoder := json.NewEncoder(p.Out)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(config.Schema()); err != nil {
				return failure{exitWrong, err}
			}
			return nil
		},
	}
}
