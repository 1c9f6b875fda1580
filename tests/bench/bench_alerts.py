"""How soon faults are told on a simulated platform, and whom harmless events wake: made seconds, many seeds, three rates."""

from __future__ import annotations

from statistics import median

import pytest

from tests.monitor.alerts.events import FAULTS, HARMLESS
from tests.monitor.alerts.simulated import SimulatedPlatform

RATES = (4.0, 40.0, 200.0)
SEEDS = 8
WARM_SECONDS = 150
QUIET = {("slow SQL: one query takes seconds", 4.0), ("slow SQL: the whole database", 4.0)}  # Ten queries a minute: no samples.


@pytest.mark.parametrize("name", list(FAULTS))
def test_seconds_to_the_message(name: str) -> None:
    """The median and the worst of all seeds, at each rate; the cause is right in every one."""
    fault, line = FAULTS[name], []
    for rate in RATES:
        seconds = []
        for seed in range(SEEDS):
            platform = SimulatedPlatform(seed, rate)
            platform.run(WARM_SECONDS + seed % 5)  # The judging has no beat in common with the fault.
            began = platform.now + fault.after_seconds
            platform.run(125, fault.weather(platform.good))
            assert {incident.cause for incident in platform.incidents} <= {fault.cause}
            assert len(platform.woken) <= 1
            seconds += [at - began for at in platform.woken]
        line.append(f"{median(seconds):.0f} / {max(seconds):.0f} s of {len(seconds)}" if seconds else "-")
        if (name, rate) not in QUIET:
            assert len(seconds) == SEEDS
            assert median(seconds) <= 60
    print(f"\n| {name} | {' | '.join(line)} |", end="")


@pytest.mark.parametrize("name", list(HARMLESS))
def test_nobody_is_woken(name: str) -> None:
    """By none of the seeds at any rate, at one request a second too."""
    for rate in (1.0, *RATES):
        for seed in range(SEEDS // 2):
            platform = SimulatedPlatform(seed, rate)
            platform.run(WARM_SECONDS + seed)
            HARMLESS[name](platform)
            platform.run(320)
            assert platform.woken == [], f"rate {rate:g}, seed {seed}"
