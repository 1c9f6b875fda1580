"""The scheduler of Claude beside three simpler designs: five minutes of each case in virtual time, same asks and latencies."""

from __future__ import annotations

import asyncio
import platform
import time

from core.claude.messages import Ask, AttemptRecord, MessageRequest, OnAttempt, OnText, RateHeadroom, Reply
from core.claude.scheduler import Scheduler
from core.claude.scheduler.supply import KINDS
from tests.claude.scheduler.cases import CASES, Outcome, play
from tests.claude.scheduler.designs import DESIGNS
from tests.claude.scheduler.scripted_api import MODEL, START, ask, reply
from tests.claude.scheduler.upstream import USAGE

SEEDS = range(1, 11)
NUMBER = 10_000


def test_cases_a_to_d() -> None:
    """The table of one seed; ours holds what is promised."""
    outcomes: dict[str, Outcome] = {}
    for name, case in CASES.items():
        print(f"\n{name}")
        print(f"  {'':32} P50    P95    served  < 2 s   429  bulk done      in flight")
        for title, design in DESIGNS.items():
            outcome = outcomes[name[0] + title] = play(case, design)
            bulk = f"{outcome.bulk_done}/{case.bulk} in {outcome.bulk_last_seconds:3.0f} s" if case.bulk else ""
            print(
                f"  {title:32} {outcome.quantile(0.5):.2f} s {outcome.quantile(0.95):5.2f} s {outcome.served:6.1%} "
                f"{outcome.under_two_seconds:6.1%} {outcome.refused:5}  {bulk:15} {outcome.most_in_flight:4}"
            )
    for case in ("A", "B"):
        assert outcomes[f"{case}ours"].quantile(0.95) <= 1.05 * outcomes[f"{case}direct"].quantile(0.95)
    crowded = outcomes["Cours"]
    assert crowded.under_two_seconds >= 0.9
    assert (crowded.refused, crowded.bulk_done) == (0, 300)


def test_case_c_by_seed() -> None:
    """Other asks at other times: no 429 and all of the bulk each time; how many are under two seconds is chance's too."""
    name = "C: 3/s and 300 bulk, 240 rpm"
    print(f"\n{name}: seed, interactive asks, < 2 s with ours and with direct dispatch, P95 of ours, bulk")
    for seed in SEEDS:
        ours, direct = (play(CASES[name], DESIGNS[title], seed=seed) for title in ("ours", "direct"))
        print(
            f"  {seed:2} {ours.asked} {ours.under_two_seconds:.1%} {direct.under_two_seconds:.1%} "
            f"{ours.quantile(0.95):.2f} s {ours.bulk_done} in {ours.bulk_last_seconds:.0f} s, {ours.refused} times 429"
        )
        assert (ours.refused, ours.bulk_done, ours.served) == (0, 300, 1)


def test_own_time_of_an_ask() -> None:
    """CPU time per ask above what it sends through, all four rate limits told by each answer."""
    told = {kind: RateHeadroom(limit=10**7, remaining=10**7 - 5, resets_at=START) for kind in KINDS}
    record = AttemptRecord(
        model=MODEL, outcome="ok", status=200, request_id="", started_at=START, duration_seconds=1.0, headroom=told
    )
    answer = reply(MODEL, USAGE, 1.0)

    async def send(
        asked: Ask, request: MessageRequest, timeout_seconds: float, on_text: OnText | None, on_attempt: OnAttempt
    ) -> Reply:
        await asyncio.sleep(0)
        on_attempt(record)
        return answer

    async def measure() -> tuple[float, float]:
        scheduler, one = Scheduler(send), ask("one")
        began = time.process_time()
        for _ in range(NUMBER):
            await scheduler.run(one)
        alone = time.process_time() - began
        began = time.process_time()
        for _ in range(NUMBER // 1000):
            await asyncio.gather(*(scheduler.run(one) for _ in range(1000)))
        return alone / NUMBER, (time.process_time() - began) / NUMBER

    alone, together = asyncio.run(measure())
    print(f"\none after another {alone * 1e6:.0f} us, 1000 at once {together * 1e6:.0f} us; Python {platform.python_version()}")
    assert max(alone, together) <= 0.0005
