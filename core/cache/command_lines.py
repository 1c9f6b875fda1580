"""CommandLines: what an operator's action runs in Redis, as lines of a shell.

Owns the quoting. Passwords are never part of a line: redis-cli takes them from REDISCLI_AUTH.
"""

from __future__ import annotations

import shlex
from urllib.parse import parse_qs, urlsplit

from core.cache.keys import Keys
from core.cache.messages import key_message
from core.cache.redis_tier import MARKER_LIFE_SECONDS
from core.cache.scripts import DELETE, MARK
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
        names = (self._keys.value(key), self._keys.lease(key))
        return (self._line("EVAL", DELETE.text.strip(), "2", *names, self._keys.channel, key_message(key, 0)),)

    def renew_tag(self, tag: str) -> tuple[str, ...]:
        """A new generation of a tag; its number is drawn anew each time."""
        head = self._line("EVAL", MARK.text.strip(), "1", self._keys.tag(tag))
        life = str(MARKER_LIFE_SECONDS * 1000)
        message = '"t:$NEW:"' + shlex.quote(tag)
        return ("NEW=1$(openssl rand -hex 7)", f'{head} "$NEW" {life} {shlex.quote(self._keys.channel)} {message} 1')

    def _line(self, *words: str) -> str:
        return " ".join((self._client, *(shlex.quote(word) for word in words)))


def _client(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return f"redis-cli -u {shlex.quote(masked(url))}"
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis-cli -s {shlex.quote(parts.path)}" + (f" -n {int(database)}" if database.isdigit() and int(database) else "")
