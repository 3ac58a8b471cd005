package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// info judges how Redis is set up, by what INFO says.
func (r *redis) info(ctx context.Context) error {
	got, refused, err := r.ask(ctx, "INFO")
	if err != nil {
		return err
	}
	text, is := got.(string)
	if refused != "" || !is {
		r.note(Doubtful, r.about, "settings", "are not known: the user may not send INFO, which nothing but doctor needs", "let this user send it (+info), or look by a file with another fleet.user")
		return nil
	}
	i := readInfo(text)
	r.version(i)
	r.persistence(i)
	r.replication(i)
	r.memory(i)
	return nil
}

// facts are INFO's fields.
type facts map[string]string

func readInfo(text string) facts {
	i := make(facts)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			i[name] = value
		}
	}
	return i
}

func (i facts) number(name string) int {
	n, _ := strconv.Atoi(i[name]) // 0 where it is not said
	return n
}

func (r *redis) version(i facts) {
	name, version := "Redis", i["redis_version"]
	if i["valkey_version"] != "" {
		name, version = "Valkey", i["valkey_version"]
	}
	found := fmt.Sprintf("%s %.40s", name, version)
	switch {
	case before(i["redis_version"], 6, 2):
		r.note(Bad, r.about, "version", found, "wanted Redis 6.2 or later, or Valkey")
	case before(i["redis_version"], 7, 2):
		r.note(Good, r.about, "version", found+", which does not say whether an entry is on a disk (from 7.2 on)", "")
	default:
		r.note(Good, r.about, "version", found, "")
	}
}

// before reports whether a version is known and an earlier one.
func before(version string, major, minor int) bool {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return false
	}
	first, err := strconv.Atoi(parts[0])
	second, err2 := strconv.Atoi(parts[1])
	return err == nil && err2 == nil && (first < major || first == major && second < minor)
}

func (r *redis) persistence(i facts) {
	const what = "persistence"
	switch {
	case i["aof_enabled"] == "1" && i["aof_last_write_status"] == "err":
		r.note(Bad, r.about, what, "the append-only file cannot be written", "see the disk of Redis and its log")
	case i["aof_enabled"] == "1":
		r.note(Good, r.about, what, "an append-only file is written", "")
	default:
		r.note(Doubtful, r.about, what, "there is no append-only file: after a restart of Redis, an entry is written back by an instance that has it, if one is up", "set appendonly yes in Redis")
	}
}

func (r *redis) replication(i facts) {
	const what = "replication"
	replicas, wanted := i.number("connected_slaves"), r.shared.Config.Replicas
	found := fmt.Sprintf("is a primary, replicas: %d", replicas)
	_, guarded := i["min_slaves_good_slaves"] // said where min-replicas-to-write is set
	switch {
	case i["role"] == "slave":
		r.note(Bad, r.about, what, "is a replica, to which nothing can be written", "let fleet.url lead to the primary, or name the sentinels and ?master_set=")
	case replicas < wanted:
		r.note(Bad, r.about, what, fmt.Sprintf("%s, and fleet.replicas wants %d: Revoke fails", found, wanted), "see why replicas are not connected, or let fleet.replicas be less")
	case replicas > 0 && !guarded:
		r.note(Doubtful, r.about, what, found+"; cut off from them, it goes on taking entries that are lost later", "set min-replicas-to-write 1 in Redis")
	default:
		r.note(Good, r.about, what, found, "")
	}
}

// nearlyFull is from which part of maxmemory on there is too little room for a burst.
const nearlyFull = 0.9

func (r *redis) memory(i facts) {
	const what, do = "memory", "set maxmemory-policy noeviction in Redis, or use another server than caches do"
	policy, limit := i["maxmemory_policy"], i.number("maxmemory")
	found := fmt.Sprintf("%.20s used of %.20s, %.40s", i["used_memory_human"], i["maxmemory_human"], policy)
	switch full := float64(i.number("used_memory")) > nearlyFull*float64(limit); {
	case limit == 0:
		r.note(Good, r.about, what, fmt.Sprintf("%.20s used, with no limit", i["used_memory_human"]), "")
	case strings.HasPrefix(policy, "allkeys-"):
		r.note(Bad, r.about, what, found+": what is revoked is taken away where memory is short", do)
	case policy != "noeviction":
		r.note(Doubtful, r.about, what, found+": seen proofs are taken away where memory is short, and may pass again", do)
	case full:
		r.note(Doubtful, r.about, what, found+": soon nothing can be written", "give Redis more memory")
	default:
		r.note(Good, r.about, what, found, "")
	}
}
