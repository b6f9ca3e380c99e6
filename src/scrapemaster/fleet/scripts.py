"""What Redis decides for the throttle, whole and in order: Lua.

A host is one hash: `paused` (until) and `last` (start of the last delayed fetch), in milliseconds of Redis's clock, and for each worker
`w:<id>`: places granted, places that count as taken, places wanted, when that ends, since when it has some or waits for one. After Redis lost its memory it grants nothing new
for as long as a grant lasts, so that what was granted before is either renewed, and known again, or has ended.
"""

from __future__ import annotations

#: Notes when this memory began, if it has not been noted; what is noted while nobody crawls keeps nobody waiting later. The last of KEYS: birth
#: of this memory.
BIRTH = """
local birth = KEYS[#KEYS]
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local born = tonumber(redis.call('GET', birth))
if not born then
  born = now
  redis.call('SET', birth, string.format('%.3f', now))
end
"""

#: What both scripts below begin with. KEYS: host, birth of this memory. ARGV: worker, milliseconds a grant lasts, milliseconds that the
#: worker knows the host to be paused for, milliseconds since its own last delayed fetch (-1: none).
_HEAD = (
    BIRTH
    + """
local host = KEYS[1]
local worker, lasts = ARGV[1], tonumber(ARGV[2])
local young = born + lasts - now
local paused = tonumber(redis.call('HGET', host, 'paused')) or 0
local last = tonumber(redis.call('HGET', host, 'last')) or 0
local told = tonumber(ARGV[3])
if told > 0 and now + told > paused + 1 then
  paused = now + told
  redis.call('HSET', host, 'paused', string.format('%.3f', paused))
end
local ago = tonumber(ARGV[4])
if ago >= 0 and now - ago > last then
  last = now - ago
  redis.call('HSET', host, 'last', string.format('%.3f', last))
end
-- Longer than any pause or delay.
redis.call('PEXPIRE', host, 7200000)
"""
)

#: ARGV further: places wanted, places under way, places held, places of the host. Returns places granted, milliseconds of pause left.
PLACES = (
    _HEAD
    + """
local want, busy, held, limit = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local me = 'w:' .. worker
local others, wanting, demand, before, since = 0, 1, 0, 0, now
local queue = {}
local all = redis.call('HGETALL', host)
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) == 'w:' then
    local granted, counted, wanted, ends, from = string.match(all[i + 1], '(%S+) (%S+) (%S+) (%S+) (%S+)')
    granted, wanted, from = tonumber(granted), tonumber(wanted), tonumber(from)
    if tonumber(ends) < now then
      redis.call('HDEL', host, all[i])
    elseif all[i] ~= me then
      others = others + tonumber(counted)
      if wanted > 0 then
        demand = demand + wanted
        wanting = wanting + 1
        if granted == 0 then queue[#queue + 1] = from end
      end
    else
      before, since = granted, from
    end
  end
end
local grant = 0
if want > 0 then
  local free = limit - others
  if before > 0 then
    -- Where there are fewer places than workers, each has one for a second and then goes to the end of the queue.
    if #queue > 0 and wanting > limit and now - since > 1000 then free = 0 end
  else
    for _, from in ipairs(queue) do
      if from < since then free = free - 1 end
    end
  end
  grant = math.min(want, free, math.max(1, math.floor(limit / wanting), limit - demand))
  if young > 0 then grant = math.min(want, held) end
  grant = math.max(grant, 0)
end
if (grant > 0) ~= (before > 0) then since = now end
-- What is under way counts, though no more may begin.
local counted = math.max(grant, busy)
if want == 0 and counted == 0 then
  redis.call('HDEL', host, me)
else
  redis.call('HSET', host, me, string.format('%d %d %d %.3f %.3f', grant, counted, want, now + lasts, since))
end
return {grant, math.ceil(math.max(0, paused - now))}
"""
)

#: ARGV further: delay in milliseconds, and 1 to move one's own turn to now. Returns 1 when the turn is now, and else 0 and the
#: microseconds after which to ask again.
TURN = (
    _HEAD
    + """
local delay, again = tonumber(ARGV[5]), ARGV[6] == '1'
local wait = math.max(young, paused - now, last + delay - now)
if again and redis.call('HGET', host, 'owner') == worker then
  wait = math.max(young, paused - now)
end
if wait > 0 then
  return {0, math.ceil(wait * 1000)}
end
redis.call('HSET', host, 'last', string.format('%.3f', now), 'owner', worker)
return {1, 0}
"""
)
