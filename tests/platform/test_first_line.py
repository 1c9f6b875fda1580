"""The first line: the worst finding decides, in the words of who feels it, and nothing is claimed that is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.database.pool import Database, PoolSettings
from core.database.queries import Queries
from core.monitor import Recorder
from core.monitor.alerts.alerts import AlertParts, Alerts
from core.monitor.alerts.judge import Reading
from core.monitor.alerts.notifier import Notifier
from core.monitor.alerts.readings import Readings
from core.monitor.alerts.records import AlertRecords
from core.monitor.alerts.rules import Rule
from core.monitor.alerts.view import AlertsView
from core.monitor.clock import SteadyClock
from core.platform.felt import Felt
from core.platform.first_line import first_line, short_step, spoken, tab_title
from core.platform.verdict import Verdict
from tests.monitor.alerts.scenes import DOWN, FINE, START, Scene, enough

BEGAN = datetime.fromtimestamp(START, UTC)
READY = Verdict("fine", BEGAN, "")
IDLE = {name: reading for name, reading in FINE.items() if not name.startswith(("api", "database_p95"))}
SLOW = FINE | {"api_p95": enough(1.2, felt=90, felt_new=10)}
QUERIES = SLOW | {"database_p95": enough(0.9, felt=80, felt_new=9)}
NO_REDIS = FINE | {"redis": replace(DOWN, worst="connection refused", advice="Start the server.")}
LAYER = "look which layer is slow on the Overview, then at the slowest query on the Database page"
FASTER = "choose a faster model or less effort, or hold background work on the Claude page"
QUERY = "open the slowest query on the Database page"
RARELY = {"api_p95": Felt(1, 100, "1 in 100 lead lists slow", 0.01)}
SOME = {"api_p95": Felt(4, 100, "1 in 25 lead lists slow", 0.04)}
LISTS = {"api_p95": Felt(90, 1_080, "1 in 12 lead lists slow", 1 / 12)}


def _view(scene: Scene, *, age: float | None = 1.0, judges: bool = True) -> AlertsView:
    recorder, clock = Recorder(), SteadyClock(lambda: scene.now, lambda: scene.now)
    readings = Readings(recorder, lambda: (), {}, clock.now)
    records = AlertRecords(Database("postgresql://", Queries(), PoolSettings()))
    parts = AlertParts(book=scene.book, readings=readings, records=records, notifier=Notifier(""), clock=clock)
    view = Alerts(parts).view()
    return replace(view, stats=replace(view.stats, judges=judges, ticks=1, tick_age_seconds=age))


def _line(scene: Scene, felt: Mapping[str, Felt] | None = None, ready: Verdict = READY) -> str:
    def who_feels(rule: Rule) -> Felt | None:
        return (felt or {}).get(rule.name)

    now = datetime.fromtimestamp(scene.now, UTC)
    return spoken(first_line(_view(scene), ready, who_feels), "{:%H:%M:%S}".format, now)


@pytest.mark.parametrize(
    ("readings", "seconds", "felt", "line"),
    [
        (FINE, 60, {}, "Fine since 22:13:25"),
        (SLOW, 20, LISTS, "Fine since 22:13:25"),  # Pending: 30 s make it a breach.
        (SLOW, 540, LISTS, f"Not fine, 8 min: 1 in 12 lead lists slow; next: {LAYER}"),
        (QUERIES, 60, LISTS, f"Not fine, 55 s: 1 in 12 lead lists slow: Database P95 is 900 ms; next: {QUERY}"),
        (QUERIES, 60, {}, f"Not fine, 55 s: Database P95 is 900 ms; next: {QUERY}"),
        (NO_REDIS, 60, RARELY, "Not fine, 55 s: Redis does not answer; next: start the server"),
        (NO_REDIS, 60, SOME, "Not fine, 55 s: Redis does not answer; 1 in 25 lead lists slow; next: start the server"),
        (NO_REDIS | SLOW | {"redis": NO_REDIS["redis"]}, 60, LISTS,
         "Not fine, 55 s: Redis does not answer; 1 in 12 lead lists slow; next: start the server"),
        (FINE | {"claude_mean": enough(9.0, felt=50)}, 60, SOME, f"Not fine, 55 s: Claude's mean is 9 s; next: {FASTER}"),
        (IDLE, 60, {}, "Cannot tell: no traffic; next: make traffic on the Overview, or call the API"),
        (IDLE | {"api_p95": Reading(running_seconds=20)}, 60, {}, "Cannot tell: the console has just started"),
    ],
)  # fmt: skip
def test_the_line(readings: Mapping[str, Reading], seconds: float, felt: Mapping[str, Felt], line: str) -> None:
    """What is said after so many seconds of these readings."""
    scene = Scene()
    scene.run(seconds, readings)

    assert _line(scene, felt) == line


def test_a_warning_is_not_fine_but_wakes_nobody() -> None:
    """It is said in another colour and with another sign."""
    scene = Scene()
    scene.run(240, FINE | {"cpu": Reading(0.91, samples=1)})
    verdict = first_line(_view(scene), READY, lambda _rule: None)

    assert (verdict.state, verdict.warning, verdict.reason) == ("not_fine", True, "CPU is 91 %")
    assert tab_title(verdict, BEGAN + timedelta(seconds=240)) == "! Not fine, 3 min"


def test_what_operators_said_changes_nothing_but_is_said() -> None:
    """Seen and silenced, it is still not fine; a second incident is counted."""
    scene = Scene()
    scene.run(60, SLOW | {"disk": Reading(0.99, samples=1)})
    scene.run(60, {**FINE, "disk": Reading(0.99, samples=1), "claude_mean": enough(9.0, felt=50)})
    key = next(item.key for item in scene.open() if item.cause == "disk")
    scene.book.acknowledge(key, who="ann", why="at it", seconds=600, now=scene.now)
    for rule in ("disk", "api_p95"):
        scene.book.silence(rule, who="ann", why="known", seconds=600, wall=scene.now)

    assert ", and 1 more, seen by ann, silenced; next: free space on the disk" in _line(scene)


def test_what_gets_better_is_said_until_it_is_over() -> None:
    """Back below its limit it is not fine for as long as it might come again; then fine since the end of the incident."""
    scene = Scene()
    scene.run(60, SLOW)
    scene.run(60, FINE)
    assert "API P95 is back at 30 ms, not yet for 5 min" in _line(scene)

    scene.run(30, IDLE)
    assert "API P95 was broken and cannot be judged now" in _line(scene)

    scene.run(310, FINE)
    ended = scene.book.incidents.resolved[-1].resolved_at
    assert ended is not None
    assert _line(scene) == f"Fine since {datetime.fromtimestamp(ended, UTC):%H:%M:%S}"


def test_a_cause_that_is_over_is_not_told_as_if_it_went_on() -> None:
    """Redis answers again while what it brought about goes on: that is told, with what to do about it."""
    scene = Scene()
    scene.run(60, NO_REDIS | QUERIES | {"redis": NO_REDIS["redis"]})
    for _ in range(2):  # Not yet for long enough, and then for good.
        scene.run(50, QUERIES)
        assert f": 1 in 12 lead lists slow: Database P95 is 900 ms; next: {QUERY}" in _line(scene, LISTS)

    assert [item.cause for item in scene.open()] == ["redis"]


def test_a_server_that_is_down_comes_before_what_most_felt() -> None:
    """Of two incidents that are critical, that is what is to be looked after first."""
    scene = Scene()
    scene.run(60, FINE | {"claude_mean": enough(9.0, felt=500)})
    scene.run(60, FINE | {"claude_mean": enough(9.0, felt=500), "redis": NO_REDIS["redis"]})

    assert _line(scene) == "Not fine, 55 s: Redis does not answer, and 1 more; next: start the server"


def test_fine_is_not_claimed_for_longer_than_it_was_seen() -> None:
    """A night without traffic, a suspended machine: what follows begins anew, whatever was before."""
    scene = Scene()
    scene.run(60, FINE)
    scene.run(60, IDLE)
    scene.run(60, FINE)
    assert _line(scene) == "Fine since 22:15:25"

    scene.now += 600
    scene.run(5, FINE)
    assert _line(scene) == "Fine since 22:26:25"


def test_who_does_not_judge_says_what_the_servers_say() -> None:
    """`serve` judges no rule; a judge that stands still says nothing of now, whatever it found before."""
    scene = Scene()
    scene.run(60, SLOW)

    assert first_line(_view(scene, judges=False), READY, lambda _rule: None) is READY
    late = first_line(_view(scene, age=45.0), READY, lambda _rule: None)
    assert (late.state, late.reason) == ("cannot_tell", "no rule was judged for 45 s")


@pytest.mark.parametrize(
    ("ready", "line"),
    [
        (Verdict("not_fine", BEGAN + timedelta(seconds=50), "Redis does not answer", "Start it."),
         "Cannot tell: Redis does not answer, for 10 s so far; next: start it"),
        (Verdict("not_fine", None, "Schema: no rights", "Grant CREATE."), "Not fine: Schema: no rights; next: grant CREATE"),
        (Verdict("cannot_tell", None, "setting up: sample data"), "Cannot tell: setting up: sample data"),
    ],
)  # fmt: skip
def test_what_is_not_ready(ready: Verdict, line: str) -> None:
    """A server that has just gone is no incident yet, and not fine either; a set-up that failed is broken at once."""
    scene = Scene()
    scene.run(60, FINE)

    assert _line(scene, ready=ready) == line


@pytest.mark.parametrize(
    ("step", "short"),
    [
        (
            "Run a warm plan on the Cache page: it loads what is most wanted before it is asked for.",
            "run a warm plan on the Cache page",
        ),
        ("Continue it: `kill -CONT 12`. Then look.", "continue it: `kill -CONT 12`"),
        ("The Claude page names the kinds. Overloaded: hold.", "the Claude page names the kinds"),
        ("Claude is asked less.", "Claude is asked less"),
    ],
)
def test_the_first_thing_to_do(step: str, short: str) -> None:
    """The line ends with what to do first, not with everything that could be done."""
    assert short_step(step) == short
