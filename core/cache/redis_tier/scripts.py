"""Scripts: what Redis does in one step, so that nobody sees it half done.

KEYS are the value and its lease, or one marker. Each is sent by its hash; a Redis that has forgotten it gets the text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from core.cache.redis_tier.envelope import FORMAT, MAGIC


@dataclass(frozen=True, slots=True)
class Script:
    """The text in Lua and its SHA1, by which Redis knows it."""

    text: str
    sha: str


def _script(text: str) -> Script:
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


# ARGV: value, life in ms, channel, message.
WRITE = _script("""
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
""")

# ARGV: token, lease in ms, 1 to ask for the lease although a value is there. MGET, since GET fails on what is no string.
CLAIM = _script("""
if ARGV[3] == '0' then
    local value = redis.call('MGET', KEYS[1])[1]
    if value then return value end
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[2]) == ARGV[1] then return 1 end
return 0
""")

# ARGV: value, life in ms, channel, message, token. What a newer version wrote stays: only that version knows what it means.
FILL = _script(f"""
if redis.call('GET', KEYS[2]) ~= ARGV[5] then return 0 end
local before = ''
if redis.call('EXISTS', KEYS[1]) == 1 then
    before = redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GETRANGE', KEYS[1], 0, 2) or 'other'
end
if string.sub(before, 1, 2) == '\\{MAGIC[0]}\\{MAGIC[1]}' and string.byte(before, 3) and string.byte(before, 3) > {FORMAT} then
    redis.call('DEL', KEYS[2])
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
if before ~= '' then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
return 1
""")

# ARGV: token, lease in ms. KEYS: the lease.
RENEW = _script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")

# ARGV: token. KEYS: the lease.
RELEASE = _script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
""")

# ARGV: channel, message.
DELETE = _script("""
local held = redis.call('DEL', KEYS[1])
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return held
""")

# ARGV: generation, life in ms, channel, message, 1 to replace one that is there. KEYS: the marker. One that is no hexadecimal
# number from 1 to 2^63 - 1 is damaged and counts as lost; MARKER in redis_tier.py is the same rule for those who read.
MARK = _script("""
if ARGV[5] == '0' then
    local now = redis.call('MGET', KEYS[1])[1]
    if now and string.match(now, '^[1-9a-f][0-9a-f]*$') and (#now < 16 or #now == 16 and string.match(now, '^[1-7]')) then
        return now
    end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return ARGV[1]
""")

# ARGV: reads, seconds saved, life in ms. KEYS: the gain of a run.
GAIN = _script("""
redis.call('HINCRBYFLOAT', KEYS[1], 'reads', ARGV[1])
redis.call('HINCRBYFLOAT', KEYS[1], 'saved_seconds', ARGV[2])
return redis.call('PEXPIRE', KEYS[1], ARGV[3])
""")
