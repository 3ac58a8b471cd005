package fleet

// Keys of all scripts but scriptAck: the set (a hash), the log (a stream), and what is
// known about both (a hash: epoch, how many changes there were, the highest sequence).
// Arguments of those that write begin with how long the log is at most, and an epoch
// for where there is none.

// begin is what each of these begins with. Somebody who writes Redis may have left there
// what no command of ours takes: it is taken away, or taken for nothing, and a new epoch
// has all instances read again and write back what they hold. A log ends with the last
// id that there can be.
const begin = `
local set, log, meta = KEYS[1], KEYS[2], KEYS[3]
local epoch = ARGV[2]
local function renew() redis.call('HSET', meta, 'epoch', epoch, 'changes', '0') end
local function be(key, kind)
  local is = redis.call('TYPE', key)
  is = is.ok or is
  if is == kind or is == 'none' then return true end
  redis.call('DEL', key)
  return false
end
local whole = be(meta, 'hash')
whole = be(set, 'hash') and whole
whole = be(log, 'stream') and whole
redis.call('HSETNX', meta, 'epoch', epoch)
local before = redis.call('HGET', meta, 'changes') or '0'
if not whole or #before > 15 or string.find(before, '[^0-9]') or before == '' then renew() end
local function append(...)
  local at = redis.pcall('XADD', log, 'MAXLEN', '~', ARGV[1], '*', ...)
  if type(at) ~= 'table' then return at end
  local why = at.err or ''
  if string.find(why, 'exhausted') or string.find(why, 'smaller') then
    redis.call('DEL', log)
    renew()
  end
  return redis.call('XADD', log, 'MAXLEN', '~', ARGV[1], '*', ...)
end
local function stands(at)
  return {at, redis.call('HGET', meta, 'epoch'), redis.call('HGET', meta, 'changes') or '0', redis.call('HLEN', set)}
end
`

// scriptWrite puts records into the set and the log, in one step. Of a new one the
// sequence must be above all; else nothing is done, and the answer's position is empty.
// One that is written over all starts their numbers anew. Others are written where there
// is nothing, something older, or what the caller found broken, by its SHA-1. The set comes last, so
// that what fails leaves nothing there that the log lacks.
const scriptWrite = begin + `
local none = '0000000000000000'
local top = redis.call('HGET', meta, 'sequence') or none
if ARGV[3] == 'over' or #top ~= 16 or string.find(top, '[^0-9a-f]') then top = none end
if ARGV[3] == 'new' and ARGV[5] <= top then return {'', top} end
local at = ''
for n = 4, #ARGV, 4 do
  local field, sequence, sealed, broken = ARGV[n], ARGV[n+1], ARGV[n+2], ARGV[n+3]
  local held = redis.call('HGET', set, field)
  if ARGV[3] ~= 'again' or not held or string.sub(held, 1, 16) < sequence or redis.sha1hex(held) == broken then
    local changes = redis.call('HINCRBY', meta, 'changes', 1)
    at = append('field', field, 'sequence', sequence, 'record', sealed, 'change', changes)
    redis.call('HSET', set, field, sequence .. sealed)
    if sequence > top then top = sequence end
  end
end
redis.call('HSET', meta, 'sequence', top)
return {at, top}`

// scriptDrop takes needless records out of the set, unless one has changed meanwhile.
const scriptDrop = begin + `
for n = 4, #ARGV, 2 do
  if redis.call('HGET', set, ARGV[n]) ~= ARGV[n+1] then return 0 end
end
local changes = redis.call('HINCRBY', meta, 'changes', 1)
append('drop', ARGV[3], 'change', changes)
for n = 4, #ARGV, 2 do redis.call('HDEL', set, ARGV[n]) end
return 1`

// scriptBeat writes a heartbeat, and answers what stands in Redis at that moment.
const scriptBeat = begin + `return stands(append('beat', ARGV[3]))`

// scriptLook answers the end of the log, and what stands in Redis at that moment.
const scriptLook = begin + `
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)
local at = '0-0'
if #last > 0 then at = last[1][1] end
return stands(at)`

// scriptAck tells a writer. Its log ends with it, and begins anew where it takes no more.
const scriptAck = `
local at = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', 1000, '*', 'ack', ARGV[1])
if type(at) == 'table' then
  local why = at.err or ''
  if string.find(why, 'exhausted') or string.find(why, 'smaller') or string.find(why, 'WRONGTYPE') then redis.call('DEL', KEYS[1]) end
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', 1000, '*', 'ack', ARGV[1])
end
redis.call('PEXPIRE', KEYS[1], 600000)
return 1`

// logLength is how many messages the log keeps, of about 250 bytes each. Of 50
// instances that is for six minutes; whoever comes later reads the set anew.
const logLength = "20000"
