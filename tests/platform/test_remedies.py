"""Remedies in made time: begun by a breach, judged by its figure, and taken back however they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from core.errors import DependencyDown, OperationError, UsageError
from core.monitor.alerts.alerts import AlertParts, Alerts
from core.monitor.alerts.book import AlertBook
from core.monitor.alerts.judge import Reading
from core.monitor.alerts.notifier import Notifier
from core.monitor.alerts.readings import Probe, Readings
from core.monitor.alerts.records import AlertRecords
from core.monitor.clock import SteadyClock
from core.monitor.recorder import Recorder
from core.monitor.remediation.book import RemedyBook
from core.monitor.remediation.effect import Figure
from core.monitor.remediation.records import RemedyRecords
from core.monitor.remediation.run import RemedyRun
from core.operations import Operations
from core.platform.remedies import Remedies, RemedyParts
from core.platform.remedy_actions import Call, Done, Plan
from core.platform.remedy_past import RemedyPast
from core.ports import Progress
from core.services import build_services
from core.settings import Settings
from tests.monitor.alerts.scenes import RULES, START, WORDS
from tests.monitor.remediation.test_effect import REMEDIES
from tests.virtual_time import in_virtual_time, now, pass_time

NAME = "spare_claude"
PROBED = tuple(replace(rule, kind="probe", warm_up_seconds=0.0) for rule in RULES if rule.name == "api_p95")
REMEDY = replace(REMEDIES[NAME], rules=("api_p95",), not_while=(), minimum_samples=10)

EARLIER: dict[str, Any] = {
    "remedy": NAME, "rule": "api_p95", "incident": "", "who": "ben", "why": "x", "by_hand": True,
    "phase": "over", "ended_at": 0.0,
}  # fmt: skip


class Lever:
    """A remedy that turns a lever; it can fail, hang, and be asked how often it was taken back."""

    def __init__(self) -> None:
        self.turned = 0
        self.down = False
        self.error: Exception | None = None
        self.blind: Exception | None = None
        self.go = asyncio.Event()
        self.go.set()
        self.thinks = asyncio.Event()
        self.thinks.set()
        self.refusal = ""

    async def plan(self, _call: Call, /) -> Plan:
        """Turn it."""
        await self.thinks.wait()
        return Plan(does=("Turns the lever.",), refusal=self.refusal)

    async def act(self, _plan: Plan, _call: Call, _progress: Progress, /) -> Done:
        """Turn it, and do what the test wants."""
        self.turned += 1
        self.down = True
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return Done("The lever was turned.")

    def undo(self) -> str:
        """Turn it back."""
        was, self.down = self.down, False
        return "the lever is back" if was else ""

    async def figure(self) -> Figure | None:
        """The rule's, or an error."""
        if self.blind is not None:
            raise self.blind
        return None


class Scene:
    """A console of one rule and one remedy, whose store does not answer, on the loop's time."""

    def __init__(self, services_store: object, operations: Operations) -> None:
        clock = SteadyClock(now, lambda: START + now())
        self.seconds = 0.05
        probes: dict[str, Probe] = {PROBED[0].metric: lambda _now: Reading(self.seconds, samples=1_000, felt=100)}
        recorder = Recorder(clock)
        self.alerts = Alerts(
            AlertParts(
                book=AlertBook(PROBED, WORDS),
                readings=Readings(recorder, lambda: (), probes, clock.now),
                records=AlertRecords(services_store),  # type: ignore[arg-type]
                notifier=Notifier(""),
                clock=clock,
            )
        )
        self.lever = Lever()
        self.book = RemedyBook([REMEDY], embedded=False)
        past = RemedyPast(self.book, RemedyRecords(services_store), operations, clock, lambda: False)  # type: ignore[arg-type]
        self.past, past.settled = past, True  # As if the store had answered once.
        self.remedies = Remedies(
            RemedyParts(
                book=self.book, actions={NAME: self.lever}, alerts=self.alerts, operations=operations, past=past, clock=clock
            )
        )

    async def run(self, seconds: int) -> None:
        """Judge every five seconds."""
        for _ in range(0, seconds, 5):
            self.alerts.tick()
            await pass_time(5)

    @property
    def last(self) -> RemedyRun:
        """The newest run."""
        return self.book.runs(NAME)[0]

    @property
    def story(self) -> str:
        """What the remedies put into the last incident's story."""
        view = self.alerts.view()
        (incident, *_) = (*view.open, *view.resolved)
        return " | ".join(entry.text for entry in incident.story if entry.kind == "remedy")


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """Open until the end of the block."""
    services = build_services(Settings(database_url="postgresql://nobody@127.0.0.1:1/none", redis_url="redis://127.0.0.1:1"))
    made = Scene(services.console_store, services.operations)  # Never opened: the record of operations is away.
    await made.remedies.open()
    try:
        yield made
    finally:
        await made.remedies.close()


@in_virtual_time
async def test_it_helps_stays_in_force_and_ends_with_the_breach():
    """Run once for a breach that lasts, judged when its window is new, and taken back when it is over."""
    async with scene() as console:
        await console.run(60)
        assert console.book.runs(NAME) == ()
        console.seconds = 0.3
        await console.run(200)
        assert (console.lever.turned, console.last.phase, console.last.who) == (1, "judging", "the console")
        console.seconds = 0.12
        await console.run(90)
        assert (console.last.phase, console.last.effect, console.lever.down) == ("in force", "helped", True)
        console.seconds = 0.05
        await console.run(400)
        assert (console.last.phase, console.last.undone, console.lever.down) == ("over", "it is over", False)
        assert "The lever was turned." in console.story
        assert "Helped: API P95 was 300 ms" in console.story
        assert "Undone, it is over: the lever is back." in console.story
        assert console.lever.turned == 1


@in_virtual_time
async def test_worse_is_taken_back_and_not_tried_again_in_this_incident():
    """Nor after the cooldown, as long as it is the same incident."""
    async with scene() as console:
        console.seconds = 0.2
        await console.run(230)
        console.seconds = 0.4
        await console.run(100)
        assert (console.last.effect, console.last.undone, console.lever.down) == ("worse", "its effect was: worse", False)
        await console.run(2_000)
        assert console.lever.turned == 1
        assert console.remedies.view().remedies[0].held == "it did not help in this incident"


@in_virtual_time
async def test_one_that_raises_is_taken_back_and_said():
    """In the story and the book; the looking goes on."""
    async with scene() as console:
        console.lever.error = DependencyDown("Redis is gone.")
        console.seconds = 0.3
        await console.run(240)
        assert (console.last.phase, console.last.reason, console.lever.down) == ("failed", "Redis is gone", False)
        assert "Undone, Redis is gone: the lever is back. | " in console.story
        assert "Not done: Redis is gone." in console.story
        console.lever.error = ValueError("a fault of ours")
        await console.remedies.press(NAME, operator="ann", why="again")
        await console.run(10)
        assert (console.last.phase, console.last.reason, console.lever.down) == ("failed", "ValueError", False)


@in_virtual_time
async def test_a_figure_that_cannot_be_asked_for_is_no_judgement():
    """PostgreSQL down in the middle: it cannot be told, and what was done ends with the breach all the same."""
    async with scene() as console:
        console.lever.blind = DependencyDown("PostgreSQL is gone.")
        console.seconds = 0.3
        await console.run(300)
        assert (console.last.effect, console.last.phase) == ("cannot tell", "in force")
        console.seconds = 0.05
        await console.run(400)
        assert (console.last.undone, console.lever.down) == ("it is over", False)


@in_virtual_time
async def test_not_for_a_silenced_rule_nor_when_switched_off():
    """By hand it may run all the same, and takes part in the incident."""
    async with scene() as console:
        await console.alerts.silence("api_p95", who="ann", why="known", seconds=1_000)
        console.seconds = 0.3
        await console.run(240)
        assert (console.lever.turned, console.remedies.view().remedies[0].held) == (0, "API P95 is silenced")
        await console.remedies.switch(NAME, automatic=False, operator="ann", why="not now")
        await console.run(1_000)
        assert console.remedies.view().remedies[0].held == "it runs only by hand"
        with pytest.raises(UsageError, match="reason is missing"):
            await console.remedies.press(NAME, operator="ann", why="")
        plan = await console.remedies.press(NAME, operator="ann", dry_run=True)
        assert (plan.does, console.lever.turned) == (("Turns the lever.",), 0)
        await console.remedies.press(NAME, operator="ann", why="try it")
        await console.run(10)
        assert (console.last.who, console.last.by_hand, console.lever.down) == ("ann", True, True)
        with pytest.raises(OperationError, match="runs already"):
            await console.remedies.press(NAME, operator="ben", why="me too")
        await console.remedies.undo(NAME, operator="ben")
        await console.run(10)
        assert (console.last.effect, console.last.undone) == ("cannot tell", "ben wanted it so")
        assert not console.lever.down


@in_virtual_time
async def test_a_refusal_is_said_once_for_an_incident():
    """And asked for again, in case it changes."""
    async with scene() as console:
        console.lever.refusal = "There is nothing to turn."
        console.seconds = 0.3
        await console.run(600)
        assert console.story == f"{REMEDY.title}. Not run: There is nothing to turn."
        console.lever.refusal = ""
        await console.run(120)
        assert console.lever.turned == 1


@in_virtual_time
async def test_the_console_ends_in_the_middle():
    """While it is judged it is taken back by the end; while it acts, by the cancellation."""
    for acts in (False, True):
        async with scene() as console:
            if acts:
                console.lever.go.clear()
            console.seconds = 0.3
            await console.run(240)
            assert console.last.phase == ("acting" if acts else "judging")
            assert console.lever.down
        assert not console.lever.down
        assert console.last.undone == ("it was cancelled" if acts else "the console ended")
        assert "Undone, " in console.story


@in_virtual_time
async def test_an_operators_undo_is_not_done_again():
    """Not by itself in that incident, however long the breach goes on."""
    async with scene() as console:
        console.seconds = 0.3
        await console.run(240)
        await console.remedies.undo(NAME, operator="ann")
        await console.run(2_000)
        assert (console.lever.turned, console.lever.down) == (1, False)
        assert console.remedies.view().remedies[0].held == "ann took it back in this incident"


@in_virtual_time
async def test_nothing_by_itself_on_old_ground():
    """Not before the store has said what ran before and who switched it off, nor while the rules are not judged."""
    async with scene() as console:
        console.past.settled = False
        console.seconds = 0.3
        await console.run(300)
        assert (console.lever.turned, console.remedies.view().remedies[0].held[:15]) == (0, "what ran before")
        await pass_time(90)
        console.past.settled = True
        console.remedies.look()
        await pass_time(5)
        assert (console.lever.turned, console.remedies.view().remedies[0].held) == (0, "the rules are not judged now")
        await console.run(10)
        assert console.last.phase == "judging"
        await pass_time(100)
        assert (console.last.effect, console.last.phase) == ("cannot tell", "in force")
        assert "the rules are not judged now" in console.last.reason


@in_virtual_time
async def test_what_changes_while_it_is_planned():
    """A silence, or the last run of the hour by another hand."""
    async with scene() as console:
        console.lever.thinks.clear()
        console.seconds = 0.3
        await console.run(240)
        await console.alerts.silence("api_p95", who="ann", why="known", seconds=1_000)
        console.lever.thinks.set()
        await console.run(10)
        assert console.lever.turned == 0
        console.lever.thinks.clear()
        pressed = asyncio.create_task(console.remedies.press(NAME, operator="ann", why="slow"))
        await console.run(5)
        for number in range(REMEDY.most_per_hour):
            console.book.put(RemedyRun(**EARLIER, key=str(number), began_at=console.alerts.view().now))
        console.lever.thinks.set()
        with pytest.raises(OperationError, match="times within an hour"):
            await pressed


@in_virtual_time
async def test_not_for_a_breach_that_recovers():
    """Nor for one of which nothing is seen any more; it waits until the figure is beyond its limit again."""
    async with scene() as console:
        await console.remedies.switch(NAME, automatic=False, operator="ann", why="later")
        console.seconds = 0.3
        await console.run(240)
        console.seconds = 0.05
        await console.run(10)
        await console.remedies.switch(NAME, automatic=True, operator="ann", why="now")
        await console.run(20)
        assert (console.lever.turned, console.alerts.view().open != ()) == (0, True)
        assert console.remedies.view().remedies[0].held == "API P95 is not beyond its limit now"
        console.seconds = 0.3
        await console.run(20)
        assert console.lever.turned == 1


@in_virtual_time
async def test_it_is_in_force_for_an_hour_at_most():
    """However long the breach goes on."""
    async with scene() as console:
        console.seconds = 0.3
        await console.run(200)
        console.seconds = 0.12
        await console.run(3_600)
        assert (console.book.runs(NAME)[-1].effect, console.book.runs(NAME)[-1].undone) == ("helped", "it lasted 60 min")


@in_virtual_time
async def test_not_while_what_it_cannot_help_is_broken():
    """Such as a server that is down; the panel says which."""
    async with scene() as console:
        console.book.remedies[NAME] = replace(REMEDY, not_while=("api_p95",))
        console.seconds = 0.3
        await console.run(300)
        assert (console.lever.turned, console.remedies.view().remedies[0].held) == (0, "beyond its limit: API P95")
