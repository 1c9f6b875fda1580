"""The book of alerts in made time: what is told and what is not, the cause first, and what operators say."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from core.errors import UsageError
from core.monitor.alerts.book import AlertBook
from core.monitor.alerts.incident import from_document, to_document
from core.monitor.alerts.judge import Reading
from core.monitor.alerts.records import Kept
from core.monitor.alerts.trend import trend
from tests.monitor.alerts.scenes import DOWN, FINE, RULES, START, WORDS, Scene, enough, only

HOUR, DAY = 3_600.0, 86_400.0
SLOW = enough(0.4, felt=300, felt_new=30)
VERY_SLOW = enough(1.2, felt=900, felt_new=80)


def with_(**changed: Reading) -> dict[str, Reading]:
    """Fine but for these."""
    return {**FINE, **changed}


def test_a_week_at_the_limit_with_two_incidents() -> None:
    """P95 hovers at its limit for seven days: one note a day, and both incidents are told within two minutes."""
    random, minutes = np.random.default_rng(7), 7 * 24 * 60
    p95 = np.empty(minutes)
    level = 0.0
    for minute in range(minutes):
        level = 0.9 * level + random.normal(0, 5 * np.sqrt(1 - 0.9**2))
        p95[minute] = (97 + level) / 1_000
    begins = (2 * 1_440 + 100, 5 * 1_440 + 400)
    for minute in begins:
        p95[minute : minute + 12] = 1.1
    readings = [{"api_p95": enough(float(value), felt=60)} for value in p95]
    scene = Scene(AlertBook(only("api_p95"), WORDS))

    scene.run(7 * DAY - 60, lambda now: readings[int((now - START) // 60)], tick=30)

    woken = [at for at, message in scene.told if message.kind == "critical"]
    assert len(scene.told) <= 60
    assert len(woken) == 2
    for minute, at in zip(begins, woken, strict=True):
        assert 0 <= at - (START + minute * 60) <= 120
    assert scene.kinds().count("resolved") == 2
    assert 1 <= scene.kinds().count("note") <= 7


def test_a_cold_start_alerts_nothing() -> None:
    """In the first minutes nothing answers well: servers start, the cache is empty, the first requests are slow."""
    scene = Scene()

    def starting(now: float) -> Mapping[str, Reading]:
        running = now - START
        cold = {
            name: Reading(value, samples=1_000, felt=900, running_seconds=running)
            for name, value in {"api_p95": 2.0, "database_p95": 0.8, "api_errors": 0.3, "cache_hit_rate": 0.05}.items()
        }
        return cold if running > 8 else {}  # Before it has answered once a server is starting, not down.

    scene.run(115, starting)
    scene.run(DAY, FINE, tick=60)

    assert scene.told == []
    assert scene.book.incidents.resolved == type(scene.book.incidents.resolved)()


def test_an_escalation_is_told() -> None:
    """A warning becomes critical one minute after it was opened: that is told at once, whatever was or was not told before."""
    scene = Scene()
    scene.run(185, with_(api_p95=enough(0.11, felt=60)))
    assert [incident.level for incident in scene.open()] == [1]
    scene.run(60, with_(api_p95=enough(0.11, felt=60)))
    assert scene.told == []

    scene.run(40, with_(api_p95=VERY_SLOW))

    assert scene.kinds() == ["critical"]
    assert [entry.kind for entry in scene.open()[0].story] == ["opened", "escalated"]


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        (with_(redis=DOWN, cache_read_p95=enough(0.1, felt=500), database_p95=SLOW, api_p95=VERY_SLOW), "redis"),
        (with_(postgresql=DOWN, api_errors=enough(0.4, felt=400, felt_new=20), api_p95=VERY_SLOW), "postgresql"),
        (with_(database_p95=enough(0.9, felt=900), api_p95=VERY_SLOW, cpu=enough(0.99)), "database_p95"),
        (with_(api_errors=enough(0.3, felt=300, felt_new=15)), "api_errors"),
        (with_(claude_failures=enough(0.8, felt=80), claude_mean=enough(30.0, felt=80)), "claude_failures"),
        (with_(disk=Reading(0.99, 1), postgresql=DOWN, api_errors=enough(0.4, felt=400)), "disk"),
    ],
)
def test_the_right_cause_first_within_a_minute(broken: Mapping[str, Reading], cause: str) -> None:
    """One incident under its cause, told once."""
    scene = Scene()
    scene.run(300, FINE)
    scene.run(55, broken)

    assert [incident.cause for incident in scene.open()] == [cause]
    assert scene.kinds() == ["critical"]
    assert scene.open()[0].title in scene.told[0][1].title
    assert "Next: " in scene.told[0][1].body

    scene.run(HOUR, broken)
    assert [incident.cause for incident in scene.open()] == [cause]
    scene.run(900, FINE)
    assert scene.open() == ()
    assert scene.kinds() == ["critical", "resolved"]
    assert len(scene.book.incidents.resolved) == 1


@pytest.mark.parametrize("first", ["database_pool", "cpu"])
def test_a_busy_cpu_makes_no_second_incident(first: str) -> None:
    """A full pool explains slow requests, whichever of the two was seen first."""
    scene, found = Scene(), {"database_pool": Reading(9.0, samples=1), "cpu": enough(0.99)}
    scene.run(300, FINE)
    scene.run(40, with_(**{first: found[first], "api_p95": FINE["api_p95"] if first == "database_pool" else VERY_SLOW}))
    scene.run(60, with_(**found, api_p95=VERY_SLOW))

    assert scene.kinds() == ["critical"]
    assert [incident.cause for incident in scene.open()] == ["database_pool"]


def harmless() -> dict[str, Callable[[Scene], None]]:
    """Things that happen on a good day."""
    few = Reading(3.0, samples=4, felt=4)
    return {
        "a deploy: slow for half a minute": lambda scene: scene.run(25, with_(api_p95=VERY_SLOW)),
        "a short spike of errors": lambda scene: scene.run(25, with_(api_errors=enough(0.2, felt=200))),
        "an empty night": lambda scene: scene.run(8 * HOUR, {"postgresql": FINE["postgresql"]}, tick=30),
        "four slow requests at night": lambda scene: scene.run(HOUR, with_(api_p95=few)),
        "two slow requests of twenty at night": lambda scene: scene.run(120, with_(api_p95=Reading(3.0, samples=20, felt=2))),
        "the clock is set": lambda scene: scene.told.extend(
            (scene.now, message) for message in scene.book.tick(with_(api_p95=VERY_SLOW), scene.now + 1, shift_seconds=7_200)
        ),
        "a suspended machine": lambda scene: (
            scene.run(5, with_(redis=DOWN, api_p95=VERY_SLOW)),
            setattr(scene, "now", scene.now + HOUR),
            scene.run(5, with_(redis=DOWN, api_p95=VERY_SLOW)),
        )[-1],
        "a restart of Redis": lambda scene: scene.run(15, with_(redis=DOWN)),
        "a restart of PostgreSQL": lambda scene: scene.run(10, with_(postgresql=DOWN, api_errors=enough(0.5, felt=500))),
        "an old reading": lambda scene: scene.run(HOUR, with_(api_p95=Reading(9.0, 1_000, 900, age_seconds=600))),
        "an hour of full CPU": lambda scene: scene.run(HOUR, with_(cpu=enough(1.0))),
    }


@pytest.mark.parametrize("event", list(harmless()))
def test_what_is_harmless_wakes_nobody(event: str) -> None:
    """It may be shown, and stand in the morning note; nobody is woken."""
    scene = Scene()
    scene.run(300, FINE)
    harmless()[event](scene)
    scene.run(1_200, FINE)

    assert [kind for kind in scene.kinds() if kind != "note"] == []
    assert scene.open() == ()


def test_repeated_until_somebody_looks_after_it() -> None:
    """Every four hours, not while it is acknowledged, and a message that reached nobody again after a quarter of an hour."""
    scene = Scene()
    scene.run(60, with_(redis=DOWN))
    scene.run(5 * HOUR, with_(redis=DOWN), tick=30)
    assert scene.kinds() == ["critical", "repeat"]
    incident = scene.open()[0]

    scene.book.acknowledge(incident.key, who="ann", why="looking", seconds=9 * HOUR, now=scene.now)
    scene.run(8 * HOUR, with_(redis=DOWN), tick=30)
    assert scene.kinds() == ["critical", "repeat"]
    scene.run(2 * HOUR, with_(redis=DOWN), tick=30)
    assert scene.kinds() == ["critical", "repeat", "repeat"]

    scene.book.delivered(scene.told[-1][1], "no answer", scene.now)
    scene.run(1_000, with_(redis=DOWN), tick=30)
    assert scene.kinds()[-2:] == ["repeat", "repeat"]
    assert {"acknowledged", "untold"} <= {entry.kind for entry in scene.open()[0].story}


def test_a_silence_ends_and_what_goes_on_is_told() -> None:
    """Nobody is told while it holds; who, why and until are kept; after it what is still critical is told."""
    scene = Scene()
    made = scene.book.silence("redis", who="ann", why="maintenance", seconds=HOUR, wall=scene.now)
    scene.run(1_800, with_(redis=DOWN), tick=15)
    assert scene.told == []
    assert scene.open()[0].level == 2

    scene.run(1_900, with_(redis=DOWN), tick=15)
    assert scene.kinds() == ["critical"]
    assert scene.book.unwritten.silences[made.key].why == "maintenance"
    with pytest.raises(UsageError, match="reason"):
        scene.book.silence("redis", who="ann", why=" ", seconds=HOUR, wall=scene.now)


def test_a_silence_that_ends_after_the_worst_wakes_nobody() -> None:
    """What was critical in a maintenance and is well again, but not yet for long, waits for the note."""
    scene = Scene()
    scene.book.silence("*", who="ann", why="maintenance", seconds=600, wall=scene.now)
    scene.run(580, with_(api_p95=VERY_SLOW))
    scene.run(60, FINE)
    assert [incident.level for incident in scene.open()] == [2]
    scene.run(600, FINE)
    assert scene.told == []


def test_a_rule_that_is_switched_off_ends_its_incident() -> None:
    """At once, and the story says why it is over."""
    scene = Scene()
    scene.run(60, with_(api_p95=VERY_SLOW))
    scene.book.change_rule("api_p95", {"enabled": False}, who="ann", why="a slow month", wall=scene.now)
    scene.run(5, with_(api_p95=VERY_SLOW))
    assert scene.open() == ()
    assert "is switched off" in " ".join(entry.text for entry in scene.book.incidents.resolved[0].story)


@pytest.mark.parametrize(("waited", "told"), [(300.0, ["critical"]), (2 * HOUR, ["critical", "critical"])])
def test_a_cause_that_comes_long_after_what_was_told_is_news(waited: float, told: list[str]) -> None:
    """Somebody has looked after slow requests for hours: that PostgreSQL is down now is told all the same."""
    scene = Scene()
    scene.run(60, with_(api_p95=VERY_SLOW))
    scene.book.acknowledge(scene.open()[0].key, who="ann", why="looking", seconds=DAY, now=scene.now)
    scene.run(waited, with_(api_p95=VERY_SLOW))
    scene.run(600, with_(api_p95=VERY_SLOW, postgresql=DOWN, api_errors=enough(0.9, felt=900, felt_new=50)))
    assert scene.kinds() == told
    assert [incident.cause for incident in scene.open()] == ["api_p95", "postgresql"][-len(told) :]


def test_a_restart_goes_on_with_what_is_open() -> None:
    """What was told is not told again; the end is; also when the new console found it anew before its store answered."""
    first = Scene()
    first.run(60, with_(postgresql=DOWN, api_errors=enough(0.4, felt=400, felt_new=20)))
    kept = Kept(tuple(from_document(to_document(incident, 7.0), -7.0) for incident in first.open()))
    assert kept.incidents == first.open()

    for late in (0.0, 60.0):
        second = Scene(now=first.now + 30)
        second.run(late, with_(postgresql=DOWN))
        second.told.clear()
        second.book.restore(kept, second.now)
        second.run(HOUR, with_(postgresql=DOWN))
        assert second.kinds() == []
        assert len(second.open()) == 1
        second.run(600, FINE)
        assert second.kinds() == ["resolved"]


def test_an_incident_of_a_rule_that_is_no_more() -> None:
    """Nothing would judge it any more: it ends, and nobody is told."""
    first = Scene()
    first.run(60, with_(redis=DOWN))
    second = Scene(AlertBook(only("api_p95"), WORDS))
    second.book.restore(Kept(tuple(first.open())), second.now)
    second.run(60, FINE)
    assert (second.open(), second.told) == ((), [])
    assert len(second.book.incidents.resolved) == 1


def test_who_felt_it() -> None:
    """Requests beyond the limit are counted: those of the window in which it began, then each once."""
    scene = Scene()
    scene.run(300, FINE)
    scene.run(5, with_(api_p95=enough(1.0, felt=50, felt_new=50)))
    scene.run(60, with_(api_p95=enough(1.0, felt=200, felt_new=10)))
    assert scene.open()[0].felt == 50 + 12 * 10


def test_changed_rules() -> None:
    """An operator's numbers are judged by at once and kept; the shipped ones come back; what cannot work is refused."""
    scene = Scene()
    scene.book.change_rule("api_p95", {"warning": 2.0, "critical": 5.0}, who="ann", why="a slow month", wall=scene.now)
    scene.run(600, with_(api_p95=VERY_SLOW))
    assert scene.open() == ()
    restarted = Scene()
    restarted.book.restore(Kept(changes=tuple(scene.book.unwritten.changes.values())), restarted.now)
    assert next(rule for rule in restarted.book.rules if rule.name == "api_p95").warning == 2.0

    scene.book.change_rule("api_p95", {}, who="ann", why="over", wall=scene.now)
    scene.run(60, with_(api_p95=VERY_SLOW))
    assert scene.kinds() == ["critical"]
    for values in (
        {"warning": -1},
        {"warning": 9.0},
        {"metric": "other"},
        {"critical": "high"},
        {"repeat_seconds": 0.0},
        {"clear_seconds": 1e300},
    ):
        with pytest.raises(UsageError):
            scene.book.change_rule("api_p95", values, who="ann", why="why", wall=scene.now)
    with pytest.raises(UsageError, match="at most 100 %"):
        scene.book.change_rule("uptime", {"warning": 1.01}, who="ann", why="why", wall=scene.now)


def test_trends() -> None:
    """By halves, in the direction that the rule has; weather is stable, and little is nothing."""
    latency = next(rule for rule in RULES if rule.name == "api_p95")
    hits = next(rule for rule in RULES if rule.name == "cache_hit_rate")
    rising = [0.03 + 0.002 * step for step in range(40)]
    assert trend(latency, rising) == "degrading"
    assert trend(latency, rising[::-1]) == "improving"
    assert trend(hits, [0.9 + 0.002 * step for step in range(40)]) == "improving"
    assert trend(latency, [0.05, 0.06] * 20) == "stable"
    assert trend(latency, rising[:5]) == "not enough data"
