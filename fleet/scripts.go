package fleet

// Keys of all scripts but scriptAck: the set (a hash), the log (a stream), and what is
// known about both (a hash: epoch, how many changes there were, the highest sequence).
// Arguments of those that write begin with how long the log is at most, and an epoch
// for where there is none.

// scriptWrite puts records into the set and the log, in one step. Of a new one the
// sequence must be above all; else nothing is done, and the answer's position is empty.
// One that is written over all starts their numbers anew. Others are written where there
// is nothing, something older, or what the caller found broken.
const scriptWrite = `
local set, log, meta = KEYS[1], KEYS[2], KEYS[3]
redis.call('HSETNX', meta, 'epoch', ARGV[2])
local top = redis.call('HGET', meta, 'sequence') or '0000000000000000'
if ARGV[3] == 'over' then top = '0000000000000000' end
if ARGV[3] == 'new' and ARGV[5] <= top then return {'', top} end
local at = ''
for n = 4, #ARGV, 4 do
  local field, sequence, sealed, broken = ARGV[n], ARGV[n+1], ARGV[n+2], ARGV[n+3]
  local held = redis.call('HGET', set, field)
  if ARGV[3] ~= 'again' or not held or string.sub(held, 1, 16) < sequence or held == broken then
    redis.call('HSET', set, field, sequence .. sealed)
    local changes = redis.call('HINCRBY', meta, 'changes', 1)
    at = redis.call('XADD', log, 'MAXLEN', '~', ARGV[1], '*', 'field', field, 'sequence', sequence, 'record', sealed, 'change', changes)
    if sequence > top then top = sequence end
  end
end
redis.call('HSET', meta, 'sequence', top)
return {at, top}`

// scriptDrop takes needless records out of the set, unless one has changed meanwhile.
const scriptDrop = `
local set, log, meta = KEYS[1], KEYS[2], KEYS[3]
for n = 4, #ARGV, 2 do
  if redis.call('HGET', set, ARGV[n]) ~= ARGV[n+1] then return 0 end
end
for n = 4, #ARGV, 2 do redis.call('HDEL', set, ARGV[n]) end
local changes = redis.call('HINCRBY', meta, 'changes', 1)
redis.call('XADD', log, 'MAXLEN', '~', ARGV[1], '*', 'drop', ARGV[3], 'change', changes)
return 1`

// scriptBeat writes a heartbeat, and answers what stands in Redis at that moment.
const scriptBeat = `
local set, log, meta = KEYS[1], KEYS[2], KEYS[3]
redis.call('HSETNX', meta, 'epoch', ARGV[2])
local at = redis.call('XADD', log, 'MAXLEN', '~', ARGV[1], '*', 'beat', ARGV[3])
return {at, redis.call('HGET', meta, 'epoch'), redis.call('HGET', meta, 'changes') or '0', redis.call('HLEN', set)}`

// scriptLook answers the end of the log, and what stands in Redis at that moment.
const scriptLook = `
local set, log, meta = KEYS[1], KEYS[2], KEYS[3]
redis.call('HSETNX', meta, 'epoch', ARGV[2])
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)
local at = '0-0'
if #last > 0 then at = last[1][1] end
return {at, redis.call('HGET', meta, 'epoch'), redis.call('HGET', meta, 'changes') or '0', redis.call('HLEN', set)}`

// scriptAck tells a writer. Its log ends with it.
const scriptAck = `
redis.call('XADD', KEYS[1], 'MAXLEN', '~', 1000, '*', 'ack', ARGV[1])
redis.call('PEXPIRE', KEYS[1], 600000)
return 1`

// logLength is how many messages the log keeps, of about 250 bytes each. Of 50
// instances that is for six minutes; whoever comes later reads the set anew.
const logLength = "20000"
