//go:build !unix

package jwks

import "os"

func openFile(path string) (*os.File, error) { return os.Open(path) }
