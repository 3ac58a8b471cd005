module github.com/m2mguard/m2mguard/fleet/example/goredis

go 1.26.0

require (
	github.com/alicebob/miniredis/v2 v2.40.0
	github.com/m2mguard/m2mguard v0.1.0
	github.com/m2mguard/m2mguard/fleet v0.1.0
	github.com/redis/go-redis/v9 v9.23.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260820222146-c27c302e5fc3 // indirect
	github.com/redis/rueidis v1.0.79 // indirect
	github.com/yuin/gopher-lua v1.1.1 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
)
