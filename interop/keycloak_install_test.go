//go:build interop

package interop_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	// keycloakVersion is of org.keycloak:keycloak-quarkus-dist, and keycloakSHA256
	// of its zip.
	keycloakVersion = "26.7.3"
	keycloakSHA256  = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"

	// mavenDependency is the plugin that downloads it, from wherever Maven gets
	// its artifacts on this machine.
	mavenDependency = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"

	// installTime bounds the download of 170 MB and the build.
	installTime = 15 * time.Minute
)

// keycloakFolder returns the folder of Keycloak's files, which nothing writes to.
// The first run on a machine downloads them, checks them and has Keycloak build
// itself for its options; the folder is then kept among the user's caches.
func keycloakFolder() (string, error) {
	caches, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	caches = filepath.Join(caches, "m2mguard-interop")
	folder := filepath.Join(caches, "keycloak-"+keycloakVersion+"-"+keycloakSHA256[:12])
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if err := os.MkdirAll(caches, 0o755); err != nil {
		return "", err
	}
	scratch, err := os.MkdirTemp(caches, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	ctx, cancel := context.WithTimeout(context.Background(), installTime)
	defer cancel()
	archive, err := downloadKeycloak(ctx, scratch)
	if err != nil {
		return "", err
	}
	if err := checkSum(archive, keycloakSHA256); err != nil {
		return "", err
	}
	if err := unzip(archive, scratch); err != nil {
		return "", err
	}
	unpacked := filepath.Join(scratch, "keycloak-"+keycloakVersion)
	if err := output(java(ctx, unpacked, "build", "--db=dev-file")); err != nil {
		return "", err
	}
	if err := os.Rename(unpacked, folder); err != nil {
		if _, made := os.Stat(folder); made != nil { // not by another run meanwhile
			return "", err
		}
	}
	return folder, nil
}

func downloadKeycloak(ctx context.Context, folder string) (string, error) {
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", fmt.Errorf("Maven downloads Keycloak, and is not installed: %w", err)
	}
	mvn := exec.CommandContext(ctx, "mvn", "--batch-mode", "--no-transfer-progress", "--strict-checksums",
		mavenDependency+":copy", "-Dartifact=org.keycloak:keycloak-quarkus-dist:"+keycloakVersion+":zip", "-DoutputDirectory="+folder)
	mvn.Dir = folder // where no pom.xml is
	return filepath.Join(folder, "keycloak-quarkus-dist-"+keycloakVersion+".zip"), output(mvn)
}

// output runs cmd and returns what it printed if it fails.
func output(cmd *exec.Cmd) error {
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, &printed)
	}
	return nil
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

// java is Keycloak's program, run on the files of home, in a process of its own:
// bin/kc.sh would be another one around it.
func java(ctx context.Context, home string, args ...string) *exec.Cmd {
	program := "java"
	if dir := os.Getenv("JAVA_HOME"); dir != "" {
		program = filepath.Join(dir, "bin", program)
	}
	return exec.CommandContext(ctx, program, append([]string{
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
