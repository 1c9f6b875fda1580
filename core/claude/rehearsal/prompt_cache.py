"""PromptCache: which prefixes of prompts are kept, for the usage buckets of an answer.

Owns the rules of the API: prefixes end at cache_control blocks, count from a model's minimum on, live 5 minutes or 1 hour from
their last use, are found up to 20 blocks back, and can be read only after the answer that wrote them has begun.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.claude.rehearsal import tokens

Ttl = Literal["5m", "1h"]
LOOKBACK_BLOCKS = 20
LIFE_SECONDS: dict[Ttl, float] = {"5m": 300.0, "1h": 3600.0}
MOST_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a prompt, in the order that the API reads it; `ttl` where a prefix ends that is to be kept."""

    text: str
    ttl: Ttl | None = None


@dataclass(frozen=True, slots=True)
class InputUsage:
    """A prompt's tokens in their three disjoint buckets."""

    input_tokens: int
    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def all_tokens(self) -> int:
        """The whole prompt."""
        return self.input_tokens + self.read + self.written_5m + self.written_1h

    @property
    def limited(self) -> int:
        """What counts against the limit of input tokens: reads do not."""
        return self.input_tokens + self.written_5m + self.written_1h


@dataclass(slots=True)
class _Entry:
    ttl: Ttl
    used_at: float

    def lives(self, now: float) -> bool:
        return now < self.used_at + LIFE_SECONDS[self.ttl]


@dataclass(frozen=True, slots=True)
class _Prefix:
    key: bytes
    tokens: int
    ttl: Ttl | None


class PromptCache:
    """The prefixes of one workspace; bounded, bound to one event loop."""

    def __init__(self, most_entries: int = MOST_ENTRIES) -> None:
        self._entries: dict[bytes, _Entry] = {}
        self._most = most_entries

    def read(self, model: str, minimum: int, blocks: Sequence[Block], extra_tokens: int, now: float) -> InputUsage:
        """The buckets of one prompt now; `extra_tokens` are those that belong to no block. Changes nothing."""
        total = sum(tokens.count(block.text) for block in blocks) + extra_tokens
        prefixes, ends = _prefixes(model, minimum, blocks)
        if not ends:
            return InputUsage(total)
        read = self._read(prefixes, ends, now)
        hour = max((prefixes[index].tokens for index in ends if prefixes[index].ttl == "1h"), default=0)
        written_1h = max(0, hour - read)
        written_5m = max(0, prefixes[ends[-1]].tokens - max(read, hour))
        return InputUsage(total - read - written_1h - written_5m, read, written_5m, written_1h)

    def write(self, model: str, minimum: int, blocks: Sequence[Block], now: float) -> None:
        """Keep the prefixes of a prompt whose answer begins now, and lengthen the life of those that it was read from."""
        prefixes, ends = _prefixes(model, minimum, blocks)
        for known in (self._entries.get(prefix.key) for prefix in prefixes):
            if known is not None and known.lives(now):
                known.used_at = now
        for prefix in (prefixes[index] for index in ends):
            assert prefix.ttl is not None
            before = self._entries.pop(prefix.key, None)
            hour = prefix.ttl == "1h" or (before is not None and before.ttl == "1h" and before.lives(now))
            self._entries[prefix.key] = _Entry("1h" if hour else "5m", now)
        while len(self._entries) > self._most:
            del self._entries[next(iter(self._entries))]

    def _read(self, prefixes: list[_Prefix], ends: list[int], now: float) -> int:
        for end in reversed(ends):
            for index in range(end, max(-1, end - LOOKBACK_BLOCKS), -1):
                entry = self._entries.get(prefixes[index].key)
                if entry is not None and entry.lives(now):
                    return prefixes[index].tokens
        return 0


def _prefixes(model: str, minimum: int, blocks: Sequence[Block]) -> tuple[list[_Prefix], list[int]]:
    """Every prefix, and the places of those that are to be kept."""
    if all(block.ttl is None for block in blocks):
        return [], []
    digest, before, prefixes = hashlib.blake2b(model.encode(), digest_size=16), 0, []
    for block in blocks:
        digest.update(b"\0%d\0" % len(block.text))
        digest.update(block.text.encode())
        before += tokens.count(block.text)
        prefixes.append(_Prefix(digest.digest(), before, block.ttl))
    return prefixes, [index for index, prefix in enumerate(prefixes) if prefix.ttl and prefix.tokens >= minimum]
