"""Answers: what was answered to the same prompt before."""

from __future__ import annotations

import re
from collections.abc import Sequence

from asyncpg import Record

from core.cache.entry import ABSENT, Absent
from core.database.pool import Database
from core.errors import UsageError
from core.platform.bodies import json_body

MOST_ANSWERS = 5
_HASH = re.compile(r"[0-9a-f]{64}")


def answers_key(prompt_hash: str) -> str:
    """The cache key of the answers to one prompt."""
    return f"ai_response_templates:{prompt_hash}"


class Answers:
    """Finds stored answers of the AI by the hash of their prompt."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recent(self, prompt_hash: str) -> Sequence[Record]:
        """The newest five answers to one prompt, named by its SHA-256; raises UsageError for another text."""
        if not _HASH.fullmatch(prompt_hash):
            raise UsageError(f"{prompt_hash[:80]!r} is no hash of a prompt.", "It is SHA-256 in 64 small hexadecimal digits.")
        return await self._database.fetch_all("ai_answers", prompt_hash, MOST_ANSWERS)

    async def body(self, rest: str) -> bytes | Absent:
        """Loads `ai_response_templates:<prompt hash>`."""
        found = await self.recent(rest)
        return json_body({"items": found}) if found else ABSENT
