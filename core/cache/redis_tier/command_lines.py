"""CommandLines: what an operator's action runs in Redis, as lines of a shell.

Owns the quoting. Passwords are never part of a line: redis-cli takes them from REDISCLI_AUTH.
"""

from __future__ import annotations

import shlex
from urllib.parse import parse_qs, urlsplit

from core.cache.coherence.messages import key_message
from core.cache.redis_tier.keys import Keys
from core.cache.redis_tier.scripts import CLAIM, DELETE, FILL, MARK, Script
from core.cache.redis_tier.tier import MARKER_LIFE_SECONDS
from core.settings import masked


class CommandLines:
    """The lines for one Redis and one prefix."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._client = _client(url)
        self._keys = keys

    def scan(self, prefix: str, count: int) -> tuple[str, ...]:
        """A page of keys."""
        return (self._line("SCAN", "0", "MATCH", self._keys.values_of(prefix), "COUNT", str(count)),)

    def scan_all(self, pattern: str, count: int) -> tuple[str, ...]:
        """A page of anybody's keys."""
        return (self._line("SCAN", "0", "MATCH", pattern, "COUNT", str(count)),)

    def look(self, key: str) -> tuple[str, ...]:
        """One value: its bytes, their number and the life that is left."""
        name = self._keys.value(key)
        return tuple(self._line(*command) for command in (("MGET", name), ("STRLEN", name), ("PTTL", name)))

    def delete(self, key: str) -> tuple[str, ...]:
        """One key, its lease, and the word to every process."""
        value, lease, message = self._keys.value(key), self._keys.lease(key), key_message(key, 0)
        return (
            self._line("DEL", value, lease),
            self._line("PUBLISH", self._keys.channel, message),
            _in_one_step(DELETE, "2", value, lease, self._keys.channel, message),
        )

    def refresh(self, key: str) -> tuple[str, ...]:
        """A load of one key; between its two scripts the loader runs, so only the console can do it."""
        value, lease = self._keys.value(key), self._keys.lease(key)
        return (
            _in_one_step(CLAIM, "2", value, lease, "TOKEN", "LEASE_MS", "1"),
            f"# then the loader of {key.partition(':')[0]}, as for a read that misses",
            _in_one_step(FILL, "2", value, lease, "VALUE", "LIFE_MS", self._keys.channel, key_message(key, 1), "TOKEN"),
        )

    def renew_tag(self, tag: str) -> tuple[str, ...]:
        """A new generation of a tag, drawn anew each time, and the word to every process."""
        marker, life, channel = self._keys.tag(tag), str(MARKER_LIFE_SECONDS * 1000), self._keys.channel
        return (
            "NEW=1$(openssl rand -hex 7)",
            f'{self._line("SET", marker)} "$NEW" PX {life}',
            f'{self._line("PUBLISH", channel)} "t:$NEW:"{shlex.quote(tag)}',
            _in_one_step(MARK, "1", marker, "$NEW", life, channel, f"t:$NEW:{tag}", "1"),
        )

    def _line(self, *words: str) -> str:
        return " ".join((self._client, *(shlex.quote(word) for word in words)))


def _in_one_step(script: Script, *words: str) -> str:
    return f"# the console sends one script: EVALSHA {script.sha} {' '.join(map(shlex.quote, words))}"


def _client(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return f"redis-cli -u {shlex.quote(masked(url))}"
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis-cli -s {shlex.quote(parts.path)}" + (f" -n {int(database)}" if database.isdigit() and int(database) else "")
