//go:build interop

package proxies_test

import (
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/m2mguard/m2mguard/adapters/httpauth/forwarded"
)

// product is a proxy, as docs/certificates.md has it configured.
type product struct {
	name    string
	program string // its file
	version string // the argument that makes it print its version
	// args run it in the foreground, with the configuration in a folder.
	args func(folder string) []string
	// config is a template over settings.
	config string

	// read reads what it writes into field, and write is how a forger writes it.
	read  func(from ...forwarded.Trust) func(*http.Request) ([]byte, error)
	field string
	write func(der []byte) string
}

// settings is what a configuration is made of.
type settings struct {
	Folder  string // the proxy's own
	Modules string // Apache's
	Root    bool   // the proxy is started as root
	Fronts  []*front
}

// front is an address of the proxy, before an API of its own.
type front struct {
	Name, Listen string
	API          string // address of the API, or the path of its socket
	Unix         bool
	Secret       string // that the proxy shows the API; "" for none
}

// Port is what Caddy wants apart.
func (f *front) Port() string { return f.Listen[strings.LastIndexByte(f.Listen, ':')+1:] }

const field = "X-Client-Cert"

func inField(read func(string, ...forwarded.Trust) func(*http.Request) ([]byte, error)) func(...forwarded.Trust) func(*http.Request) ([]byte, error) {
	return func(from ...forwarded.Trust) func(*http.Request) ([]byte, error) { return read(field, from...) }
}

func inPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func inBase64(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

func betweenColons(der []byte) string { return ":" + inBase64(der) + ":" }

// products are all that Debian has, and those that have two forms twice.
var products = []*product{
	{
		name: "nginx", program: "nginx", version: "-v", config: nginxConfig,
		args: func(folder string) []string {
			return []string{"-e", "stderr", "-p", folder, "-c", filepath.Join(folder, "config")}
		},
		read: inField(forwarded.NGINX), field: field,
		write: func(der []byte) string { return url.PathEscape(inPEM(der)) },
	},
	{
		name: "HAProxy", program: "haproxy", version: "-v",
		config: strings.ReplaceAll(haproxyConfig, "CERTIFICATE", `	http-request set-header X-Client-Cert %[ssl_c_der,base64]`),
		args:   haproxyArgs, read: inField(forwarded.HAProxy), field: field, write: inBase64,
	},
	{
		name: "HAProxy, RFC 9440", program: "haproxy", version: "-v",
		config: strings.ReplaceAll(haproxyConfig, "CERTIFICATE", `	http-request set-header Client-Cert :%[ssl_c_der,base64]: if { ssl_c_used }
	http-request del-header Client-Cert unless { ssl_c_used }`),
		args: haproxyArgs, read: forwarded.ClientCert, field: "Client-Cert", write: betweenColons,
	},
	{
		name: "Caddy", program: "caddy", version: "version",
		config: caddyConfig, args: caddyArgs, read: inField(forwarded.Caddy), field: field, write: inBase64,
	},
	{
		name: "Apache", program: "apache2", version: "-v", config: apacheConfig,
		args: func(folder string) []string {
			return []string{"-D", "FOREGROUND", "-f", filepath.Join(folder, "config")}
		},
		read: inField(forwarded.Apache), field: field,
		write: func(der []byte) string { return strings.ReplaceAll(inPEM(der), "\n", " ") },
	},
}

func haproxyArgs(folder string) []string {
	return []string{"-db", "-f", filepath.Join(folder, "config")}
}

func caddyArgs(folder string) []string {
	return []string{"run", "--adapter", "caddyfile", "--config", filepath.Join(folder, "config")}
}

const nginxConfig = `
daemon off;
master_process off;
pid {{.Folder}}/pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path {{.Folder}}/body;
	proxy_temp_path {{.Folder}}/proxy;
	fastcgi_temp_path {{.Folder}}/fastcgi;
	uwsgi_temp_path {{.Folder}}/uwsgi;
	scgi_temp_path {{.Folder}}/scgi;
{{range .Fronts}}
	server {
		listen {{.Listen}} ssl http2;
		server_name api.example.com;
		ssl_protocols TLSv1.2 TLSv1.3;
		ssl_certificate {{$.Folder}}/server.crt;
		ssl_certificate_key {{$.Folder}}/server.key;
		ssl_verify_client optional_no_ca;
		location / {
			proxy_pass http://{{if .Unix}}unix:{{end}}{{.API}};
			proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
			{{with .Secret}}proxy_set_header X-Proxy-Secret {{.}};{{end}}
		}
	}
{{end}}
}
`

const haproxyConfig = `
defaults
	mode http
	timeout connect 1m
	timeout client 1m
	timeout server 1m
{{range $i, $f := .Fronts}}
frontend f{{$i}}
	bind {{.Listen}} ssl crt {{$.Folder}}/server.pem alpn h2,http/1.1 verify optional ca-file {{$.Folder}}/server.crt no-ca-names crt-ignore-err all ca-ignore-err all
CERTIFICATE
	{{with .Secret}}http-request set-header X-Proxy-Secret {{.}}{{end}}
	default_backend b{{$i}}
backend b{{$i}}
	server api {{if .Unix}}unix@{{end}}{{.API}}
{{end}}
`

const caddyConfig = `
{
	admin off
	auto_https off
}
{{range .Fronts}}
https://api.example.com:{{.Port}} {
	bind 127.0.0.1
	tls {{$.Folder}}/server.crt {{$.Folder}}/server.key {
		client_auth {
			mode request
		}
	}
	reverse_proxy {{if .Unix}}unix/{{end}}{{.API}} {
		header_up X-Client-Cert {tls_client_certificate_der_base64}
		{{with .Secret}}header_up X-Proxy-Secret {{.}}{{end}}
	}
}
{{end}}
`

const apacheConfig = `
ServerRoot {{.Folder}}
ServerName api.example.com
PidFile {{.Folder}}/pid
DefaultRuntimeDir {{.Folder}}
ErrorLog /dev/stderr
{{if .Root}}
User nobody
Group nogroup
{{end}}
LoadModule mpm_event_module {{.Modules}}/mod_mpm_event.so
LoadModule authz_core_module {{.Modules}}/mod_authz_core.so
LoadModule socache_shmcb_module {{.Modules}}/mod_socache_shmcb.so
LoadModule ssl_module {{.Modules}}/mod_ssl.so
LoadModule http2_module {{.Modules}}/mod_http2.so
LoadModule headers_module {{.Modules}}/mod_headers.so
LoadModule proxy_module {{.Modules}}/mod_proxy.so
LoadModule proxy_http_module {{.Modules}}/mod_proxy_http.so
StartServers 1
ThreadsPerChild 8
MaxRequestWorkers 8
{{range .Fronts}}
Listen {{.Listen}}
<VirtualHost {{.Listen}}>
	Protocols h2 http/1.1
	SSLEngine on
	SSLCertificateFile {{$.Folder}}/server.crt
	SSLCertificateKeyFile {{$.Folder}}/server.key
	SSLVerifyClient optional_no_ca
	RequestHeader set X-Client-Cert "%{SSL_CLIENT_CERT}s"
	{{with .Secret}}RequestHeader set X-Proxy-Secret {{.}}{{end}}
	ProxyPass "/" "{{if .Unix}}unix:{{.API}}|http://localhost/{{else}}http://{{.API}}/{{end}}"
</VirtualHost>
{{end}}
`
