// Package fleet is what the instances of APIs share through Redis or Valkey: what is
// revoked, for all of them within a second; which DPoP proofs were seen, and nonces;
// and what an introspection endpoint answered.
//
//	shared, err := fleet.New(fleet.Config{URL: "rediss://cache.internal:6380", Name: "orders", Secrets: secrets})
//	…
//	defer shared.Close()
//	v, err := validator.New(validator.Config{
//		Issuers:     issuers, // with introspection.Config.Shared: shared.Answers()
//		Revocations: shared.Revocations(),
//		DPoP:        &dpop.Config{Replays: shared.Replays(), Nonces: shared.Nonces()},
//	})
//
// Each of the four works without the others. New does no I/O, and an instance starts
// while Redis is down. No request waits for Redis to learn what is revoked: each
// instance holds the list, and follows a log of it. One with a proof waits for
// [Config].ReplayTimeout at most, and each look for an answer takes
// introspection.Config.SharedTimeout at most.
//
// Redis is not trusted. What stands in it is sealed under keys that are derived from
// [Config].Secrets and Name, so that whoever reads it learns nobody's name, and whoever
// writes it revokes and lifts nothing. docs/fleet.md and docs/fleet-answers.md say what
// is left to such a one.
package fleet
