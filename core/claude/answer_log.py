"""AnswerLog: every answer that was made, kept in the platform's table `ai_responses`.

Owns the way there. Refuses to write where nothing may be written: a database that is only watched, or one without the table;
what is not kept is counted, and the reason said. A write whose answer was lost is repeated, so a row may be there twice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.claude.messages import Answer
from core.claude.plain import plain_json, plain_text
from core.claude.write_behind import WriteBehind, WriteBehindStats
from core.errors import SchemaError
from core.ports import Rows

KEPT_SOURCES = ("claude", "rehearsal")  # The others were kept when they were made, or were never Claude's.
TEXT_MAX, VALUE_MAX_BYTES = 200_000, 200_000
LOOK_AGAIN_SECONDS = 300.0  # Somebody may make the table meanwhile.
ONLY_WATCHED = "The platform's database is only watched (MODE=watch): answers are not kept there."


@dataclass(frozen=True, slots=True)
class AnswerLogStats:
    """What became of the answers; `not_kept` had no place to go, for the reason that is said."""

    rows: WriteBehindStats
    not_kept: int
    reason: str


class AnswerLog:
    """Bound to the loop that opened it."""

    def __init__(self, database: Rows, *, allowed: bool) -> None:
        """`allowed`: the database is embedded, or MODE=operate."""
        self._database = database
        self._allowed = allowed
        self._rows = WriteBehind[Answer]("claude answers", self._write, most=5_000)
        self._not_kept = 0
        self._reason = "" if allowed else ONLY_WATCHED
        self._look_at = 0.0

    async def open(self) -> None:
        """Start the writer."""
        await self._rows.open()

    async def close(self) -> None:
        """Write what waits, and end."""
        await self._rows.close()

    def add(self, answer: Answer) -> None:
        """Have an answer kept; waits for nothing."""
        if answer.source not in KEPT_SOURCES:
            return
        if not self._allowed or (self._reason and time.monotonic() < self._look_at):
            self._not_kept += 1
        else:
            self._rows.add(answer)

    def stats(self) -> AnswerLogStats:
        """How many answers were kept, wait, or were not kept and why."""
        return AnswerLogStats(self._rows.stats(), self._not_kept, self._reason)

    async def _write(self, answers: Sequence[Answer]) -> None:
        try:
            await self._database.execute("ai_responses_add", [_row(answer) for answer in answers])
            self._reason = ""
        except SchemaError as error:
            self._reason = f"Answers are not kept: {error}"
            self._look_at = time.monotonic() + LOOK_AGAIN_SECONDS
            self._not_kept += len(answers)


def _row(answer: Answer) -> dict[str, Any]:
    return {
        "prompt_hash": answer.prompt_hash,
        "prompt_name": answer.prompt_name,
        "model_version": answer.model,
        "response": {"text": plain_text(answer.text, TEXT_MAX), "value": plain_json(answer.value, VALUE_MAX_BYTES)},
        "input_tokens": answer.usage.all_input_tokens,
        "output_tokens": answer.usage.output_tokens,
        "cost_usd": answer.cost_usd,
        "duration_seconds": answer.duration_seconds,
        "source": answer.source,
        "created_at": answer.answered_at,
    }
