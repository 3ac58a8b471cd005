//go:build interop

package interop_test

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/m2mguard/m2mguard/interop/internal/install"
)

const (
	// keycloakVersion is of org.keycloak:keycloak-quarkus-dist, and keycloakSHA256
	// of its zip.
	keycloakVersion = "26.7.3"
	keycloakSHA256  = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"

	// mavenDependency is the plugin that downloads it.
	mavenDependency = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
)

// keycloakFolder returns the folder of Keycloak's files, which nothing writes to.
// The first run on a machine downloads them, checks them and has Keycloak build
// itself for its options.
func keycloakFolder() (string, error) {
	return install.Once("keycloak-"+keycloakVersion+"-"+keycloakSHA256[:12]+"-certificates", func(ctx context.Context, scratch string) (string, error) {
		err := maven(ctx, scratch, mavenDependency+":copy", "-DoutputDirectory="+scratch,
			"-Dartifact=org.keycloak:keycloak-quarkus-dist:"+keycloakVersion+":zip")
		if err != nil {
			return "", err
		}
		archive := filepath.Join(scratch, "keycloak-quarkus-dist-"+keycloakVersion+".zip")
		if err := checkSum(archive, keycloakSHA256); err != nil {
			return "", err
		}
		if err := unzip(archive, scratch); err != nil {
			return "", err
		}
		unpacked := filepath.Join(scratch, "keycloak-"+keycloakVersion)
		_, err = install.Succeed(keycloakCommand(ctx, unpacked, "build", "--db=dev-file", "--https-client-auth=request"))
		return unpacked, err
	})
}

func checkSum(name, want string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != want {
		return fmt.Errorf("%s has SHA-256 %s, wanted %s", filepath.Base(name), got, want)
	}
	return nil
}

// unzip unpacks an archive whose checksum is known.
func unzip(archive, folder string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	return os.CopyFS(folder, r)
}

// keycloakCommand is Keycloak, run on the files of home in a process of its own:
// bin/kc.sh would be another one around it.
func keycloakCommand(ctx context.Context, home string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, java(), append([]string{
		"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", // the server lives for minutes
		"--add-opens=java.base/java.util=ALL-UNNAMED",
		"--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
		"--add-opens=java.base/java.security=ALL-UNNAMED",
		"-Duser.language=en", "-Duser.country=US",
		"-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
		"-Dkc.home.dir=" + home, "-Djboss.server.config.dir=" + filepath.Join(home, "conf"),
		"-cp", filepath.Join(home, "lib", "quarkus-run.jar"), "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
	}, args...)...)
}
