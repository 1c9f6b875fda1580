"""Marks: out of the store, the operations and the alerts, each once; kept through an outage; few enough to draw."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from core.errors import DependencyDown, UsageError
from core.monitor.alerts.incident import Incident
from core.monitor.marks.mark import PAST_MOST_SECONDS, Mark, grouped, new_mark
from core.monitor.marks.marks import MarkParts, Marks
from core.monitor.marks.records import MarkRecords
from core.ports import Rows
from core.services import Services, build_services
from core.settings import Settings
from tests.servers import behind, fetch_value, socket_of
from tests.support import wait_until_async
from tests.tcp_proxy import TcpProxy

NOW = datetime.now(UTC)


def marks_of(store: Rows, incidents: Iterable[Incident] = ()) -> Marks:
    """Marks of a process that looks at the store again and again."""
    found = tuple(incidents)
    return Marks(MarkParts(records=MarkRecords(store), incidents=lambda: found, read_seconds=0.05))


async def put_operation(store: Rows, kind: str, begun: int, ended: int | None, silent: int = 0) -> None:
    """An operation that began so many seconds ago."""
    moments = [None if ago is None else NOW - timedelta(seconds=ago) for ago in (begun, silent, ended)]
    moments[1] = moments[1] if silent else datetime.now(UTC)  # It may be long since this file was read.
    state = "running" if ended is None else "failed"
    await store.execute(
        "INSERT INTO console.operations (kind, key, title, operator, state, host, pid, started_at, updated_at, finished_at)"
        " VALUES ($1, $1 || $2, 'A ' || $1, 'ann', $2, 'h', 1, $3, $4, $5)",
        kind, state, *moments,
    )  # fmt: skip


async def test_what_happened_is_read_out_of_where_it_is_kept(services: Services) -> None:
    """Runs, builds and remedies are spans of their operations, incidents those of the alerts; a later state counts."""
    await services.setup.finished.wait()
    store = services.console_store
    for kind, begun, ended, silent in (
        ("warm", 90, None, 0), ("index", 600, None, 300), ("remedy", 50, 50, 0), ("prompts", 40, 30, 0), ("import", 30, 20, 0),
    ):  # fmt: skip
        await put_operation(store, kind, begun, ended, silent)
    incident = Incident(key="k", cause="redis", title="Redis is away", level=2, opened_at=NOW.timestamp() - 70)
    marks = marks_of(store, [incident])
    found = {mark.kind: mark for mark in (await marks.view()).marks}

    assert [mark.kind for mark in (await marks.view()).marks] == ["index", "warm", "alert", "remedy", "import"]
    assert (found["warm"].running, found["warm"].text, found["warm"].link) == (True, "A warm", "/activity?id=1")
    assert found["index"].end == pytest.approx(NOW.timestamp() - 300)  # Nothing was heard of it since.
    assert (found["remedy"].end, found["import"].text) == (None, "A import: failed")
    assert (found["alert"].level, found["alert"].running, found["alert"].link) == ("critical", True, "/alerts?incident=k")

    await store.execute("UPDATE console.operations SET state = 'done', finished_at = $1 WHERE kind = 'warm'", NOW)
    await marks.open()
    await wait_until_async(lambda: {mark.kind: mark.end for mark in marks.look().marks}["warm"] is not None)
    await store.execute("UPDATE console.operations SET state = 'running' WHERE kind = 'index'")
    await store.execute("DELETE FROM console.operations WHERE kind = 'index'")
    await wait_until_async(lambda: "index" not in {mark.kind for mark in marks.look().marks})
    await marks.close()
    between = await marks.between(NOW.timestamp() - 45, NOW.timestamp())
    assert [mark.kind for mark in between] == ["warm", "alert", "import"]


async def test_an_outage_and_another_process(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """Marks wait, are shown with the age of the rest, and are stored once; another process sees them then; the old go."""
    url = str(settings.console_database_url)
    proxy = tcp_proxy(socket_of(url))
    async with build_services(replace(settings, console_database_url=behind(proxy, url))) as services:
        await services.setup.finished.wait()
        first, second = marks_of(services.console_store), marks_of(services.console_store)
        await first.open()
        before = NOW - timedelta(hours=3)
        assert (await first.add("deploy", "before", who="ci", at=before)).stored == "new"
        assert (await first.view()).age_seconds is not None
        proxy.cut()
        assert [(await first.add("change", "during", who="ci", at=NOW)).stored for _ in range(2)] == ["waiting", "waiting"]
        with pytest.raises(DependencyDown, match="cannot be kept"):
            await second.add("change", "during", who="ci")  # Not open, as in a command: nobody would write it later.
        await wait_until_async(lambda: bool(first.look().error))
        assert [(mark.text, mark.key) for mark in first.look().marks][1:] == [("during", "waiting:1")]
        assert first.look().waiting == 1

        proxy.restore()
        await wait_until_async(lambda: not first.look().waiting and not first.look().error)
        assert [(mark.text, mark.key[:5]) for mark in first.look().marks] == [("before", "mark:"), ("during", "mark:")]
        assert (await first.add("change", "during", who="ci", at=NOW + timedelta(seconds=30))).stored == "known"
        await services.console_store.execute(
            "INSERT INTO console.marks (kind, text, marked_by, marked_at)"
            " SELECT 'note', 'old', 'x', now() - make_interval(days => d) FROM unnest(ARRAY[20, 401]) AS d"
        )
        assert [mark.text for mark in (await second.view()).marks] == ["before", "during"]
        await first.close()
    assert fetch_value(url, "SELECT string_agg(text, ',' ORDER BY marked_at) FROM console.marks") == "old,before,during"


class Store:
    """Holds one mark once it has thought about it, as a statement that looks and then inserts."""

    def __init__(self) -> None:
        self.row: dict[str, Any] | None = None

    async def fetch_one(self, _name: str, *given: Any) -> dict[str, Any]:
        """The mark that was there when it began, or a new one."""
        before = self.row
        await asyncio.sleep(0)
        words = dict(zip(("kind", "text", "marked_by", "marked_at", "link"), given, strict=True))
        self.row = before or {"id": 1, **words}
        return {**self.row, "created": before is None}


async def test_equal_marks_at_the_same_instant_are_one() -> None:
    """A hook that is sent twice at once."""
    marks = marks_of(Store())  # type: ignore[arg-type]
    added = await asyncio.gather(*(marks.add("note", "x", who="ci", at=NOW) for _ in range(3)))
    assert sorted(item.stored for item in added) == ["known", "known", "new"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("1.2\n<b>live</b>\t**x**", "1.2 <b>live</b> **x**"), ("\u202eevil \x1b[2Jx\x00", "evil [2Jx"),
        ("\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05dc\u05d5\u05dd"), ("half \ud800", "half"), ("x" * 200, "x" * 200),
    ],
)  # fmt: skip
def test_words_are_kept_in_one_line_without_signs_that_steer(text: str, kept: str) -> None:
    """Whoever shows them needs to escape them, and nothing more."""
    assert new_mark("note", text, "ann\n", None, "", 0.0).text == kept


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "alert"}, {"text": "\u200b\n"}, {"text": "x" * 2**20}, {"link": "javascript:alert(1)"},
        {"link": "//evil.example"}, {"link": "/\\evil.example"}, {"at": NOW + timedelta(minutes=10)},
        {"at": NOW - timedelta(days=15)}, {"at": datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))},
    ],
)  # fmt: skip
def test_what_cannot_be_a_mark_is_refused(given: dict[str, Any]) -> None:
    """Derived kinds, nothing to read, too much, a link that runs or leads astray, a moment that no chart shows."""
    body: dict[str, Any] = {"kind": "note", "text": "x", "who": "ann", "at": None, "link": ""} | given
    with pytest.raises(UsageError):
        new_mark(now=NOW.timestamp(), **body)


def test_a_clock_that_runs_ahead_makes_a_mark_of_now() -> None:
    """A mark in the future would be seen by nobody."""
    assert new_mark("note", "x", "ann", NOW + timedelta(seconds=90), "", NOW.timestamp()).at == NOW.timestamp()


def test_ten_thousand_marks_are_few_enough_to_draw() -> None:
    """All are counted, and a critical alert among them stays one of its own."""
    end = 2 * PAST_MOST_SECONDS
    moments = [end - number * PAST_MOST_SECONDS / 10_000 for number in range(10_000)]
    warnings = [Mark(key=f"incident:{at}", kind="alert", text="Slow", at=at, end=at + 1, level="warning") for at in moments]
    alert = Mark(key="incident:k", kind="alert", text="Redis", at=end - 5_000, end=end - 4_000, level="critical")
    marks = sorted([*warnings, alert], key=lambda mark: mark.at)
    few = grouped(marks, end - PAST_MOST_SECONDS, end, 240)

    assert len(few) <= 240
    assert sum(mark.count for mark in few) == 10_001
    assert alert in few
    assert list(few) == sorted(few, key=lambda mark: mark.at)
    assert grouped(marks[:200], 0, end, 240) == tuple(marks[:200])
