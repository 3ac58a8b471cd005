package command

import "os"

// Commands are the names of all commands, those of cobra's own included.
func Commands() (names []string) {
	p := &program{Surroundings: Surroundings{Getenv: os.Getenv}}
	root := p.root()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	return names
}
