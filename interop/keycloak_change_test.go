//go:build interop

package interop_test

import (
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator"
)

// TestKeycloakRotation has the intervals as they are by default.
func TestKeycloakRotation(t *testing.T) {
	k := aKeycloak(t)
	apis := newAPIs(t, one(k.preset()))
	newToken := func() string { return k.token(t, "warehouse", readScope) }
	first := newToken()
	expect(t, "first key", apis, read, first, allowed("warehouse", readAlso))

	retired := k.keyNamed(t, "rsa-generated")
	k.addKey(t, "second", 200)
	second := newToken()
	expect(t, "second key, at once", apis, read, second, allowed("warehouse", readAlso))
	expect(t, "first key, still published", apis, read, first, allowed("warehouse", readAlso))

	k.dropKey(t, retired)
	k.addKey(t, "third", 300)
	third := newToken()
	expect(t, "third key, at once", apis, read, third, allowed("warehouse", readAlso))
	expect(t, "second key, still published", apis, read, second, allowed("warehouse", readAlso))
	expect(t, "first key, retired", apis, read, first, refused(validator.CheckKey))
	late := newAPIs(t, one(k.preset()))
	expect(t, "first key, at an API that never saw it", late, read, first, refused(validator.CheckKey))
	expect(t, "third key, there", late, read, third, allowed("warehouse", readAlso))
}

// TestKeycloakNotBefore: not-before concerns who asks. Keycloak would push it to
// adapters of its own, and no token says anything of it.
func TestKeycloakNotBefore(t *testing.T) {
	k := aKeycloak(t)
	const ahead = time.Hour // of all tokens below
	for name, set := range map[string]func(now, back members) func(){
		"of the realm":  func(now, back members) func() { return k.setRealm(t, now, back) },
		"of the client": func(now, back members) func() { return k.setClient(t, "warehouse", now, back) },
	} {
		apis, asked := newAPIs(t, one(k.fresh())), newAPIs(t, one(k.asked(k.asOrders())))
		token, unseen, other := k.token(t, "warehouse", readScope), k.token(t, "warehouse", readScope), k.token(t, "auditor", readScope)
		expect(t, name+": before", apis, remove, token, allowed("warehouse", readAlso))
		restore := set(members{"notBefore": time.Now().Add(ahead).Unix()}, members{"notBefore": 0})
		expect(t, name+": by its signature", apis, read, token, allowed("warehouse", readAlso))
		expect(t, name+": by its signature, not seen before", apis, read, unseen, allowed("warehouse", readAlso))
		expect(t, name+": by the realm's word", apis, remove, token, refused(validator.CheckActive))
		expect(t, name+": by the realm's word alone", asked, read, token, refused(validator.CheckActive))
		want := allowed("auditor", readAlso)
		if name == "of the realm" {
			want = refused(validator.CheckActive)
		}
		expect(t, name+": another client's", apis, remove, other, want)
		restore()
		expect(t, name+": taken back", apis, remove, token, allowed("warehouse", readAlso))
	}
}

func TestKeycloakClientDisabled(t *testing.T) {
	k := aKeycloak(t)
	apis := newAPIs(t, one(k.fresh()))
	token, other := k.token(t, "warehouse", readScope), k.token(t, "auditor", readScope)
	expect(t, "before", apis, remove, token, allowed("warehouse", readAlso))
	restore := k.setClient(t, "warehouse", members{"enabled": false}, members{"enabled": true})
	expect(t, "by its signature", apis, read, token, allowed("warehouse", readAlso))
	expect(t, "by the realm's word", apis, remove, token, refused(validator.CheckActive))
	expect(t, "another client", apis, remove, other, allowed("auditor", readAlso))
	restore()
	expect(t, "enabled again", apis, remove, token, allowed("warehouse", readAlso))
}

// TestKeycloakRealmDisabled: a disabled realm still publishes its keys, issues
// nothing, and answers 403 to whoever introspects.
func TestKeycloakRealmDisabled(t *testing.T) {
	k := aKeycloak(t)
	remembers := k.asOrders()
	remembers.PositiveLifetime = keycloakLife
	apis, asked := newAPIs(t, one(k.fresh())), newAPIs(t, one(k.asked(remembers)))
	seen, unseen := k.token(t, "warehouse", readScope), k.token(t, "auditor", readScope)
	lightweight := k.token(t, "lightweight", readScope)
	expect(t, "before", apis, remove, seen, allowed("warehouse", readAlso))
	expect(t, "before", asked, read, lightweight, allowed("lightweight", readAlso))

	restore := k.setRealm(t, members{"enabled": false}, members{"enabled": true})
	late := newAPIs(t, one(k.fresh()))
	expect(t, "seen before", apis, read, seen, allowed("warehouse", readAlso))
	expect(t, "not seen before", apis, read, unseen, allowed("auditor", readAlso))
	expect(t, "by the realm's word", apis, remove, seen, unavailable)
	expect(t, "an API that starts meanwhile", late, read, seen, allowed("warehouse", readAlso))
	expect(t, "a known answer", asked, read, lightweight, allowed("lightweight", readAlso))
	expect(t, "no known answer", asked, read, unseen, unavailable)

	restore()
	eventually(t, "enabled again", apis, remove, seen, allowed("warehouse", readAlso))
	eventually(t, "enabled again", asked, read, unseen, allowed("auditor", readAlso))
}

func TestKeycloakRestart(t *testing.T) {
	k := aKeycloak(t)
	apis := newAPIs(t, one(k.fresh()))
	seen, unseen := k.token(t, "warehouse", readScope), k.token(t, "auditor", readScope)
	expect(t, "before", apis, remove, seen, allowed("warehouse", readAlso))

	if err := k.stop(); err != nil {
		t.Fatal(err)
	}
	late := newAPIs(t, one(k.fresh()))
	expect(t, "down: seen before", apis, read, seen, allowed("warehouse", readAlso))
	expect(t, "down: not seen before", apis, read, unseen, allowed("auditor", readAlso))
	expect(t, "down: by the realm's word", apis, remove, seen, unavailable)
	expect(t, "down: an API that starts meanwhile", late, read, seen, unavailable)
	for _, a := range late {
		tallyOf(t).Add(1)
		if err := a.validator.Ready(t.Context()); err == nil {
			t.Errorf("%s: ready without keys", a.name)
		}
	}

	if err := k.start(); err != nil {
		t.Fatal(err)
	}
	after := k.token(t, "warehouse", readScope)
	for name, apis := range map[string][]*api{"up before": apis, "started meanwhile": late} {
		eventually(t, name+": seen before", apis, read, seen, allowed("warehouse", readAlso))
		eventually(t, name+": by the realm's word", apis, remove, seen, allowed("warehouse", readAlso))
		expect(t, name+": issued since", apis, read, after, allowed("warehouse", readAlso))
		for _, a := range apis {
			tallyOf(t).Add(1)
			if err := a.validator.Ready(t.Context()); err != nil {
				t.Errorf("%s: %s: %v", name, a.name, err)
			}
		}
	}
}
