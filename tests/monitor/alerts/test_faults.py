"""Faults and harmless events on a simulated platform: from recorded requests to what somebody is told."""

from __future__ import annotations

import pytest

from tests.monitor.alerts.events import FAULTS, HARMLESS
from tests.monitor.alerts.simulated import SimulatedPlatform

WARM_SECONDS = 125  # The first two minutes of a process are not judged.
PROMISED_SECONDS = 60


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_is_told_within_a_minute(name: str) -> None:
    """One message with the right cause, one incident, and one more message when it is over."""
    fault, platform = FAULTS[name], SimulatedPlatform(seed=5)
    platform.run(WARM_SECONDS)
    began = platform.now
    platform.run(80, fault.weather(platform.good))
    felt = platform.felt.between(began, platform.now)
    platform.run(700)

    assert [message.kind for _, message in platform.told] == ["critical", "resolved"]
    assert platform.told[0][0] - began - fault.after_seconds <= PROMISED_SECONDS
    assert [incident.cause for incident in platform.incidents] == [fault.cause]
    incident = platform.incidents[0]
    assert not incident.open
    assert all(incident.title in message.title for _, message in platform.told)
    if fault.cause in ("api_errors", "api_p95", "postgresql"):
        assert incident.felt == pytest.approx(felt, rel=0.05)
    if fault.cause in ("database_p95", "claude_failures"):
        assert "felt it" in platform.told[0][1].body


@pytest.mark.parametrize("name", list(HARMLESS))
def test_what_is_harmless_wakes_nobody(name: str) -> None:
    """It may be shown, and stand in the morning note."""
    platform = SimulatedPlatform(seed=6, rate=4.0)
    platform.run(WARM_SECONDS)
    HARMLESS[name](platform)
    platform.run(100)

    assert platform.woken == []


def test_a_fault_at_night_is_told_too() -> None:
    """One request in five seconds, each slow: a minute holds too few, so it takes five of them."""
    platform = SimulatedPlatform(seed=7, rate=0.2)
    platform.run(300)
    began = platform.now
    platform.run(400, FAULTS["slow requests and nothing else"].weather(platform.good))

    assert len(platform.woken) == 1
    assert platform.woken[0] - began <= 300
