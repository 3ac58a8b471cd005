package config_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
)

// TestEveryFieldIsSaid: each exported field of the library's structs is a key with a
// sentence about it, or in the list of what only code can set.
func TestEveryFieldIsSaid(t *testing.T) {
	for typ, docs := range config.Docs {
		for i := range typ.NumField() {
			field := typ.Field(i)
			_, said := docs[field.Name]
			code := slices.Contains(config.InCode[typ], field.Name)
			if field.IsExported() && said == code {
				t.Errorf("%v.%s: in the file %t, in code alone %t, wanted one of the two; see fields.go", typ, field.Name, said, code)
			}
		}
		for name := range docs {
			if _, there := typ.FieldByName(name); !there {
				t.Errorf("fields.go tells of %v.%s, which there is not", typ, name)
			}
		}
	}
}

// TestSchemaIsWhole: each key has a description, objects are closed, and what a file
// may hold is what a reader takes.
func TestSchemaIsWhole(t *testing.T) {
	text, err := json.Marshal(config.Schema())
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	keys := 0
	var walk func(path string, s map[string]any)
	walk = func(path string, s map[string]any) {
		if properties, object := s["properties"].(map[string]any); object {
			if s["additionalProperties"] != false {
				t.Errorf("%s takes unknown keys", path)
			}
			for key, value := range properties {
				p := value.(map[string]any)
				keys++
				if p["description"] == "" || p["description"] == nil {
					t.Errorf("%s.%s has no description", path, key)
				}
				walk(path+"."+key, p)
			}
		}
		if items, list := s["items"].(map[string]any); list {
			walk(path+"[]", items)
		}
	}
	walk("", root)
	if keys < 200 {
		t.Errorf("%d keys, wanted all that validator.Config and the providers have", keys)
	}
}

func TestKeys(t *testing.T) {
	for name, want := range map[string]string{
		"URL": "url", "PublicURL": "publicURL", "DPoP": "dpop", "MaxTokenBytes": "maxTokenBytes", "HTTPClient": "httpClient",
		"CAFile": "caFile", "ID": "id", "ClientID": "clientID", "API": "api", "SPIFFE": "spiffe", "FAPI2": "fapi2", "RFC9068": "rfc9068",
		"EntraIDv1": "entraIDv1", "GitLab": "gitLab", "ADFS": "adfs", "Issuers": "issuers",
	} {
		if got := config.KeyOf(name); got != want {
			t.Errorf("%s is %s, wanted %s", name, got, want)
		}
	}
	if got := config.SchemaOf(reflect.TypeFor[config.Secret]()); got["maxProperties"] != 1 {
		t.Errorf("a secret may come from two places: %v", got)
	}
}
