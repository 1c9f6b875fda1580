"""The first line: the worst finding decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from core.health import DependencyStatus, Outage
from core.platform.verdict import judge
from core.setup import SetupStep

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
DONE = [SetupStep("sample_data", "Sample data", "done")]


def _status(
    name: str = "redis", state: str = "up", minutes: float = 10, checked_seconds: float = 1, **more: object
) -> DependencyStatus:
    since, checked_at = NOW - timedelta(minutes=minutes), NOW - timedelta(seconds=checked_seconds)
    return DependencyStatus(name=name, title=name.title(), where="x", state=state, since=since, checked_at=checked_at, **more)  # type: ignore[arg-type]


def test_fine_since_the_last_change() -> None:
    """All up is fine since the youngest of them came up."""
    verdict = judge([_status(minutes=30), _status("postgresql", minutes=5)], DONE, NOW, 2)

    assert (verdict.state, verdict.since, verdict.reason) == ("fine", NOW - timedelta(minutes=5), "")


def test_fine_says_what_was_before() -> None:
    """The last outage stays told after it is over."""
    outage = Outage(NOW - timedelta(minutes=6), NOW - timedelta(minutes=5), "x")

    assert judge([_status(last_outage=outage)], DONE, NOW, 2).reason == "Redis did not answer for 60 s before that"


def test_down_is_not_fine_with_the_first_ones_next_step() -> None:
    """Several outages are named together; the one that began first says what to do."""
    down = [_status("redis", "down", 1, next_step="second"), _status("postgresql", "down", 3, next_step="first")]

    verdict = judge(down, DONE, NOW, 2)

    assert (verdict.state, verdict.reason, verdict.next_step) == ("not_fine", "Redis and Postgresql do not answer", "first")


def test_a_failed_set_up_is_not_fine() -> None:
    """Servers that answer are not enough when the schema could not be made."""
    failed = [SetupStep("console_schema", "Schema", "failed", "no rights", next_step="Grant CREATE.")]

    verdict = judge([_status()], failed, NOW, 2)

    assert (verdict.state, verdict.reason, verdict.next_step) == ("not_fine", "Schema: no rights", "Grant CREATE.")


def test_starting_and_setting_up_cannot_be_told() -> None:
    """Before all is known the line says what is being waited for, with the share that is done."""
    assert judge([_status(state="starting")], DONE, NOW, 2).reason == "Redis is starting"
    loading = [SetupStep("sample_data", "Sample data", "running", "leads", done=1, total=4)]
    assert judge([_status()], loading, NOW, 2).reason == "setting up: sample data, leads 25 %"


def test_old_checks_tell_nothing_of_now() -> None:
    """When the checking itself has stopped the line does not go on saying fine."""
    assert judge([_status(checked_seconds=30)], DONE, NOW, 2).state == "cannot_tell"
