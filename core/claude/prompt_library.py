"""PromptLibrary: every prompt and all of its versions, in the console's store.

Owns who may change what: a version never changes (the database refuses it too), an edit makes a new one, and which one answers
is chosen apart, so that a trial never answers a customer. Refuses to delete: a prompt is archived. While the store is away the
version last known to be in use answers, or the shipped one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import orjson

from core.claude.prompt_diff import FieldDiff, diff
from core.claude.prompts import SHIPPED, PromptVersion
from core.errors import CoreError, DependencyError, SchemaError, UsageError
from core.ports import Rows
from core.tasks import end_tasks

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
IN_USE_SECONDS = 5.0  # Another process sees within so many that another version is in use.
OPERATOR_MAX = 200
_CONTENT = ("title", "system", "template", "schema", "model", "max_tokens", "effort", "thinking", "author", "note")


@dataclass(frozen=True, slots=True)
class PromptSummary:
    """One prompt: the number of its newest version, and of the one that answers; who made the newest and when."""

    name: str
    title: str
    latest: int
    in_use: int
    author: str
    note: str
    created_at: datetime
    archived_at: datetime | None
    archived_by: str | None


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of an edit: its version, and those that others made since the one it is based on.

    `created` is False where nothing was changed: the version is then the one that was edited.
    """

    version: PromptVersion
    created: bool
    others: tuple[int, ...] = ()


class PromptLibrary:
    """Bound to the loop that opened it; raises DependencyError or SchemaError while the store cannot answer."""

    def __init__(self, store: Rows, shipped: Sequence[PromptVersion]) -> None:
        self._store = store
        self._shipped = {prompt.name: prompt for prompt in shipped}
        self._known: dict[str, tuple[PromptVersion, float]] = {}
        self._task: asyncio.Task[None] | None = None
        self.seeded = asyncio.Event()

    async def open(self) -> None:
        """Store the shipped prompts in the background, as soon as the store takes them."""
        self._task = asyncio.create_task(self._seed_until_done(), name="claude prompts")

    async def close(self) -> None:
        """Stop trying."""
        if self._task is not None:
            await end_tasks([self._task])

    async def seed(self) -> tuple[PromptVersion, ...]:
        """Store each shipped text that is new or changed as a new version, and return those.

        It comes into use where a shipped version was in use before, and leaves an operator's choice alone.
        """
        stored = []
        for prompt in self._shipped.values():
            row = await self._store.fetch_one("prompt_seed", prompt.name, prompt.content_hash, *_values(prompt))
            if row is not None:
                stored.append(_version(row))
        return tuple(stored)

    async def list(self, *, archived: bool = False) -> tuple[PromptSummary, ...]:
        """The prompts by name; with `archived` also those that were put away."""
        rows = await self._store.fetch_all("prompts", archived)
        return tuple(PromptSummary(**{item.name: row[item.name] for item in fields(PromptSummary)}) for row in rows)

    async def versions(self, name: str) -> tuple[PromptVersion, ...]:
        """The versions of one prompt, newest first, 500 at most."""
        return tuple(_version(row) for row in await self._store.fetch_all("prompt_versions", name))

    async def get(self, name: str, version: int) -> PromptVersion:
        """One version; UsageError when there is none."""
        row = await self._store.fetch_one("prompt_version", name, version) if 0 < version < 2**31 else None
        if row is None:
            raise UsageError(f"There is no version {version} of a prompt {name!r}.", "Look at the list of prompts.")
        return _version(row)

    async def in_use(self, name: str) -> PromptVersion:
        """The version that answers; the one last known, or the shipped one, while the store cannot say. Raises UsageError."""
        known = self._known.get(name)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        try:
            row = await self._store.fetch_one("prompt_in_use", name)
            found = self._shipped.get(name) if row is None else _version(row)
        except (DependencyError, SchemaError):
            found = known[0] if known is not None else self._shipped.get(name)
            if found is None:
                raise
        if found is None:
            raise UsageError(f"There is no prompt {name!r}.", "Look at the list of prompts.")
        self._known[name] = (found, time.monotonic() + IN_USE_SECONDS)
        return found

    async def save(self, draft: PromptVersion, *, based_on: int, author: str) -> Saved:
        """Keep an edit of version `based_on` as a new version; 0 makes a new prompt. Raises UsageError.

        Two who save at once get a version each; the second is told of the first.
        """
        draft.checked()
        _check_operator(author)
        if based_on:
            before = await self.get(draft.name, based_on)
            if before.content_hash == draft.content_hash:
                return Saved(before, created=False)
        row = await self._store.fetch_one("prompt_save", draft.name, based_on, *_values(draft, author))
        if row is None:
            raise UsageError(f"There is a prompt {draft.name!r} already.", "Choose another name, or edit that prompt.")
        saved = _version(row)
        return Saved(saved, created=True, others=tuple(range(based_on + 1, saved.version)) if based_on else ())

    def at_hand(self) -> tuple[PromptVersion, ...]:
        """The texts that answer while the store is away: those last known to be in use, and the shipped ones; asks nobody."""
        known = {name: version for name, (version, _) in self._known.items()}
        return tuple({**self._shipped, **known}.values())

    async def use(self, name: str, version: int, operator: str) -> None:
        """Let this version answer from now on; other processes follow within seconds."""
        chosen = await self.get(name, version)
        _check_operator(operator)
        await self._store.execute("prompt_use", name, version)
        self._known[name] = (chosen, time.monotonic() + IN_USE_SECONDS)
        log.info("prompt_in_use name=%s version=%s operator=%r", name, version, operator)

    async def archive(self, name: str, operator: str) -> None:
        """Put a prompt away; it keeps its versions and runs, and can be restored."""
        _check_operator(operator)
        await self._changed("prompt_archive", name, operator)

    async def restore(self, name: str) -> None:
        """Take a prompt out of the archive."""
        await self._changed("prompt_archive", name, None)

    async def diff(self, name: str, before: int, after: int) -> tuple[FieldDiff, ...]:
        """What two versions of a prompt differ in."""
        return diff(await self.get(name, before), await self.get(name, after))

    async def _changed(self, query: str, name: str, *args: object) -> None:
        if await self._store.execute(query, name, *args) == "UPDATE 0":
            raise UsageError(f"There is no prompt {name!r}.", "Look at the list of prompts.")

    async def _seed_until_done(self) -> None:
        while True:
            try:
                for stored in await self.seed():
                    log.info("prompt_shipped name=%s version=%s", stored.name, stored.version)
            except CoreError as error:  # The store may be away, or have no tables yet.
                log.info("prompts_not_seeded error=%r", str(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self.seeded.set()
                return


def _values(prompt: PromptVersion, author: str = SHIPPED) -> tuple[object, ...]:
    """The columns of a version, in the order of the statements that store one."""
    values: Mapping[str, Any] = {name: getattr(prompt, name) for name in _CONTENT}
    schema = None if prompt.schema is None else orjson.dumps(dict(prompt.schema)).decode()  # jsonb would lose the order.
    return tuple({**values, "schema": schema, "author": author}.values())


def _version(row: Any) -> PromptVersion:
    values = {item.name: row[item.name] for item in fields(PromptVersion)}
    return PromptVersion(**{**values, "schema": None if values["schema"] is None else orjson.loads(values["schema"])})


def _check_operator(operator: str) -> None:
    if not operator.strip() or len(operator) > OPERATOR_MAX or operator == SHIPPED or "\x00" in operator:
        raise UsageError(f"{operator[:80]!r} cannot be the name of an operator.")
