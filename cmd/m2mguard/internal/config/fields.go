package config

import (
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// member is one key of a mapping, and the field that it fills in.
type member struct {
	key   string
	doc   string
	index []int // for reflect.Value.FieldByIndex
	typ   reflect.Type
}

// docs say what fields of the library mean, for the schema: a sentence or two of what
// the fields' own comments say at length. Fields of this package have theirs in a tag.
var docs = map[reflect.Type]map[string]string{
	reflect.TypeFor[validator.Config](): {
		"DPoP":          "Accepts tokens that are bound to a key, with a proof for each request (RFC 9449). {} for the defaults.",
		"Revocations":   "What is revoked, from a watched file, or from the fleet.",
		"ClockSkew":     "How far this clock and an issuer's may differ. Default 30s, at most 5m, negative for none.",
		"MaxTokenBytes": "The longest token that is looked at. Default 16384; 256 to 1048576.",
		"CacheEntries":  "Bounds the verified-token cache. Default 10000, negative for none.",
		"VerifySlots":   "How many signatures of one issuer's tokens are verified at once. Default 4 for each processor.",
		"VerifyWait":    "How long a token waits for its turn. Default 1s, negative for no wait.",
	},
	reflect.TypeFor[validator.Issuer](): {
		"URL":                              "The issuer identifier: what iss must be, byte for byte.",
		"Audience":                         "The names of this API, one of which must be in aud.",
		"DangerouslyAcceptMissingAudience": "Accepts tokens without any aud: those that were meant for another API, too.",
		"DangerouslyAcceptMissingIssuer":   "Takes JWTs without iss for this issuer's.",
		"TrustDomain":                      "For SPIFFE: the trust domain of its JWT-SVIDs, such as example.org.",
		"MaxTokenLifetime":                 "How long a token may be good for, from iat to exp. Default: any.",
		"Binding":                          "Whether bearer tokens are accepted, too. Default byToken; required refuses them.",
		"OpaquePrefix":                     "What this issuer's opaque tokens begin with, where several are introspected.",
		"Clients":                          "The client ids whose tokens are accepted. Default: all.",
		"AppOnly":                          "Refuses tokens that were issued to a user. Needs profile.app, or a provider that can tell.",
		"Algorithms":                       "The accepted signature algorithms. Default RS256, PS256, ES256 and EdDSA.",
		"Profile":                          "How this issuer writes its tokens.",
		"Keys":                             "Where the issuer's keys come from. Default: discovered from url, or none at all if introspection is set.",
		"Introspection":                    "How the issuer is asked about a token (RFC 7662).",
		"SignedAnswersFor":                 "Accepts signed introspection answers alone (RFC 9701): the client id that they are for.",
		"DangerouslyAcceptAnswerID":        "Accepts introspection answers whose jti is not the token's.",
		"DangerouslyAllowHTTP":             "Allows http to hosts other than loopback: whoever is on the path can make any token good.",
	},
	reflect.TypeFor[validator.Profile](): {
		"Types":          "The accepted values of typ; an empty string accepts a token without it.",
		"Require":        "Claims that a JWT must hold beside iss, aud and exp.",
		"Match":          "Claims of a JWT that must have one of these values.",
		"MatchAnswer":    "The same for the members of an introspection answer.",
		"ScopeClaims":    "Claims that grant scopes. Default scope and scp. A nested one is a JSON Pointer: /realm_access/roles.",
		"NameClaims":     "Claims that grant one scope each and are never split.",
		"Implies":        "What a scope stands for beside itself.",
		"WildcardSuffix": "Makes scopes that end in it wildcards, such as :*.",
		"RoleClaims":     "Claims that roles are read from. Default roles.",
		"TenantClaim":    "The claim that the tenant is read from.",
		"App":            "How a token tells that its client acts for itself.",
		"NoAudience":     "This issuer's tokens never hold aud; clients must then be listed.",
	},
	reflect.TypeFor[jwks.Config](): {
		"Issuer":               "The issuer to discover from, if it is not the issuer's url.",
		"URL":                  "Address of the key set; nothing is discovered then.",
		"Set":                  "A fixed key set: the text of a JSON Web Key Set, or public keys in PEM.",
		"File":                 "Path of a key set in either form, looked at every 5s.",
		"Algorithms":           "What the keys may be used for. Default: the issuer's algorithms.",
		"Use":                  "What the keys are for. Default sig.",
		"RefreshInterval":      "The age at which the set is fetched anew. Default: by Cache-Control, or 15m.",
		"MinFetchInterval":     "The least time between two fetches for unknown kids. Default 5s.",
		"MaxStale":             "How long the last good keys outlive the last good fetch. Default 24h.",
		"RefreshWait":          "How long requests wait for the refresh of an aged set. Default 1s.",
		"RequestTimeout":       "Bounds each request. Default 5s.",
		"MaxResponseBytes":     "Bounds each answer. Default 1048576.",
		"HTTPClient":           "How to connect.",
		"DangerouslyAllowHTTP": "Allows http to hosts other than loopback.",
	},
	reflect.TypeFor[introspection.Config](): {
		"Issuer":               "The issuer to discover the endpoint from, if it is not the issuer's url.",
		"Endpoint":             "The introspection endpoint; nothing is discovered then.",
		"Auth":                 "How this API authenticates at the endpoint.",
		"PositiveLifetime":     "How long an active answer is served again, and a revoked token can pass. Default 30s, negative for none.",
		"NegativeLifetime":     "How long an inactive answer is served again. Default 10s, negative for none.",
		"CacheEntries":         "Bounds the remembered answers. Default 10000, negative for none.",
		"RefreshAhead":         "Asks again in the background when an answer is used with less than this left. Default: off.",
		"StaleIfError":         "Serves an active answer this long past its lifetime while the endpoint is away. Default: off.",
		"MaxConcurrent":        "Bounds the requests under way. Default 32.",
		"MaxPerSecond":         "Bounds the requests a second for tokens not seen active. Default: no bound while enough are active.",
		"MaxWaiting":           "Bounds who waits for a turn. Default 8192.",
		"MaxWait":              "How long a request waits for its turn. Default 2s.",
		"InactiveStatus":       "Statuses with which this server says that a token is not active.",
		"NoExpiry":             "What this server writes as exp of a token that does not expire: some of \"0\", \"-1\" and \"null\".",
		"RequestTimeout":       "Bounds one introspection. Default 5s.",
		"MaxResponseBytes":     "Bounds an answer. Default 65536.",
		"HTTPClient":           "How to connect.",
		"DangerouslyAllowHTTP": "Allows http to hosts other than loopback.",
		"Shared":               "A store of answers behind what an instance remembers, which instances share: fleet.",
		"SharedAs":             "Who asks, where auth has no client id.",
		"SharedTimeout":        "Bounds each call of that store. Default 50ms, at most 5s.",
	},
	reflect.TypeFor[fleet.Config](): {
		"Name":                    "The deployment's name: instances of one name and secret share what they have. Up to 64 letters, digits, -, _ and .",
		"Revocations":             "How the list of revocations does: what is stale, what happens then, and how much it holds. file and secrets are not for this one.",
		"Replicas":                "How many replicas must hold an entry before it counts as revoked. Default 0, at most 16.",
		"RevokeTimeout":           "Bounds a revocation. Default 5s; 100ms to 5m.",
		"MaxClockSpread":          "By how much the clocks of any two instances may differ. Default 10s, at most 1m.",
		"ReplayTimeout":           "Bounds what a request with a proof waits for Redis. Default 50ms; 1ms to 1s.",
		"MaxProofs":               "How many live proofs an instance remembers beside Redis. Default 1000000.",
		"DangerouslyReplaysAlone": "While Redis is away, lets a proof pass that this instance has not seen: once on each.",
	},
	reflect.TypeFor[dpop.Config](): {
		"Algorithms":    "Algorithms that a proof may be signed with. Default: all that are supported.",
		"MaxAge":        "How old a proof may be. Default 60s; 1s to 10m.",
		"MaxAhead":      "How far a proof's iat may lie ahead. Default 10s, at most 1m, negative for none.",
		"MaxProofBytes": "How long a proof may be. Default 4096; 512 to 16384.",
		"Replays":       "How many live proofs are remembered, or fleet. Default 1000000.",
		"Nonces":        "Asks proofs to hold a nonce of ours, or fleet for one that each instance takes. Default: none.",
	},
	reflect.TypeFor[dpop.SealedConfig](): {
		"Secrets":  "What nonces are sealed with, the newest first: the same on each instance, at least 32 random bytes each.",
		"Lifetime": "How long a nonce is good. Default 5m; 30s to 1h.",
	},
	reflect.TypeFor[revocation.Config](): {
		"File":                    "Path of the file that the list is filled by.",
		"PollInterval":            "How often the file is looked at. Default 5s.",
		"StaleAfter":              "How old the feed may be before whenStale counts. Default 30s; 1s to 24h.",
		"WhenStale":               "What happens then. Default goOn.",
		"AskIssuerAtStart":        "Has the issuer asked about each token before the list was filled for the first time.",
		"DangerouslyServeAtStart": "Lets tokens pass before the list was filled for the first time.",
		"DangerouslyPassUnnamed":  "Lets tokens pass that name no client or subject while entries by those stand.",
		"Secrets":                 "What hashes of opaque tokens are made with: one, or two while they rotate.",
		"ClockSkew":               "How far an issuer's clock may be ahead, for entries without a time. Default 30s, negative for none.",
		"MaxEntries":              "How many entries are held. Default 2000000.",
	},
	reflect.TypeFor[providers.GitHubJob](): {
		"RepositoryID": "The repository's number (repository_id).",
		"OwnerID":      "The number of its owner (repository_owner_id). Default: any.",
		"Workflow":     "The workflow's file with its commit, branch or tag (job_workflow_ref). Default: any.",
		"Environment":  "The deployment environment. Default: any.",
		"Ref":          "The branch or tag in full, such as refs/heads/main. Default: any.",
	},
	reflect.TypeFor[providers.GitLabJob](): {
		"ProjectID":   "The project's number (project_id).",
		"Ref":         "The branch or tag in full. Default: any that is protected.",
		"Environment": "The environment that the job deploys to. Default: any.",
	},
	reflect.TypeFor[providers.KubernetesAPI](): {
		"URL":       "Address of the API server. Default https://kubernetes.default.svc.",
		"TokenFile": "Path of the token to authenticate with. Default: the pod's own.",
		"CAFile":    "Path of the cluster's authority in PEM. Default: the pod's own.",
	},
}

// inCode lists the fields that only code can set: functions, and what stands for a
// part of the program.
var inCode = map[reflect.Type][]string{
	reflect.TypeFor[validator.Config]():     {"Resolver", "MaxResolved", "ResolvesPerSecond", "OpaqueIssuer", "Now", "Observer", "Issuers"}, // Issuers is File's
	reflect.TypeFor[validator.Profile]():    {"Accept", "Grants"},
	reflect.TypeFor[jwks.Config]():          {"Fetch", "Observer"},
	reflect.TypeFor[introspection.Config](): {"Introspector", "Answers", "Observer", "Now"},
	reflect.TypeFor[fleet.Config]():         {"Conn", "URL", "TLS", "Secrets", "Observer", "Now"}, // three of them are fleetSection's
	reflect.TypeFor[dpop.Config]():          {"Now"},
	reflect.TypeFor[dpop.SealedConfig]():    {"Now"},
	reflect.TypeFor[revocation.Config]():    {"Observer", "Now"},
}

// members lists what a mapping for a struct may hold, in the struct's order. An
// embedded struct's members are its own.
func members(t reflect.Type) (all []member) {
	add := func(m member) {
		if !slices.ContainsFunc(all, func(other member) bool { return other.key == m.key }) {
			all = append(all, m)
		}
	}
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous || !field.IsExported() || slices.Contains(inCode[t], field.Name) {
			continue
		}
		doc := field.Tag.Get("doc")
		if doc == "" {
			doc = docs[t][field.Name]
		}
		add(member{key: keyOf(field.Name), doc: doc, index: []int{i}, typ: field.Type})
	}
	for i := range t.NumField() {
		if field := t.Field(i); field.Anonymous {
			for _, m := range members(field.Type) {
				m.index = append([]int{i}, m.index...)
				add(m)
			}
		}
	}
	return all
}

// keyOf is a field's name as a file writes it: with a small first letter, or a small
// first abbreviation.
func keyOf(name string) string {
	for _, whole := range []string{"DPoP", "HTTP"} {
		if rest, found := strings.CutPrefix(name, whole); found {
			return strings.ToLower(whole) + rest
		}
	}
	letters := []rune(name)
	for i, letter := range letters {
		next := i + 1
		if !unicode.IsUpper(letter) || i > 0 && next < len(letters) && unicode.IsLower(letters[next]) {
			break
		}
		letters[i] = unicode.ToLower(letter)
	}
	return string(letters)
}
