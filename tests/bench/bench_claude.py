"""Claude in rehearsal: CPU of the whole way over the bare SDK, equal asks at once, the hit rate of analyses, the time of a hit.

Nothing waits in these rehearsals: no first token, no tokens per second, no limits; the cost of the work is all that is left.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import anthropic
import numpy as np
import pytest
import uvloop
from starlette.applications import Starlette

from core.api import build_routes
from core.api.serve import Served
from core.claude.body import message_body
from core.claude.claude import Caching
from core.claude.messages import Ask, MessageRequest, Turn
from core.claude.rehearsal import Dials, rehearsal_transport
from core.loop import Gate, LoopThread
from core.platform.lead_facts import LeadFacts
from core.platform.rehearsal_author import rehearsal_author
from core.services import Services, build_services
from core.settings import Settings
from tests.bench.bench_lead_keys import CHANGED, POWER, changed, sample_leads
from tests.support import wait_until_async

TURNS = 5
ROUNDS, ASKS = 25, 400  # Short turns: what else the machine does meets all ways alike.
AT_ONCE: dict[str, Any] = {
    "first_token_seconds": 0.0, "tokens_per_second": float("inf"), "requests_per_minute": None,
    "input_tokens_per_minute": None, "output_tokens_per_minute": None,
}  # fmt: skip
PLAIN, STREAMED = "the bare SDK", "the bare SDK, streaming"
ASK, HIT = "Claude.ask", "Claude.ask, a hit"
BASES = {
    PLAIN: PLAIN, STREAMED: PLAIN, "our client": PLAIN, "our client, streaming": STREAMED, ASK: PLAIN,
    "Claude.ask, streaming": STREAMED, "Claude.ask with its cache, a miss": STREAMED, HIT: PLAIN,
}  # fmt: skip
CACHING = Caching(family="lead_analysis", ttl_seconds=3600.0)
numbers = count()

pytestmark = pytest.mark.timeout(1800)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    """Services whose rehearsal answers at once, and whose budget no bench uses up."""
    own = {"claude_budget_day_usd": 1e6, "claude_timeout_seconds": 60.0, "health_interval_seconds": 2.0}
    async with build_services(replace(settings, **own)) as services:
        services.claude_parts.dials.change(**AT_ONCE)
        await wait_until_async(services.claude_parts.prompts.seeded.is_set)
        await services.claude_parts.client.prepare()
        yield services


def test_overhead(settings: Settings) -> None:
    """Scheduler, budget, ledger, answer log and cache together: at most 0.5 ms of CPU above the SDK on the same transport."""
    medians, least = uvloop.run(_overhead(settings))
    print(f"\nCPU of one ask, whole process, {ROUNDS} turns of {ASKS}: median, over the bare SDK, the same of the least")
    for name, base in BASES.items():
        over, at_best = medians[name] - medians[base], least[name] - least[base]
        print(f"  {name:36} {medians[name] * 1e3:.3f} ms, {over * 1e3:+.3f}, {at_best * 1e3:+.3f} ms over {base}")
    assert medians[ASK] - medians[PLAIN] <= 0.0005
    assert medians[HIT] < medians[PLAIN]


async def _overhead(settings: Settings) -> tuple[dict[str, float], dict[str, float]]:
    async with opened(settings) as services:
        parts = services.claude_parts
        sdk = _bare_sdk()
        transform, kept = anthropic.transform_schema, _ask("kept")

        async def bare(ask: Ask) -> None:
            body = message_body(ask.request, parts.models.known(ask.request.model), transform)
            await sdk.messages.create(**body)

        async def streamed(ask: Ask) -> None:
            body = message_body(ask.request, parts.models.known(ask.request.model), transform)
            async for _ in await sdk.messages.create(**body, stream=True):
                pass

        ways: dict[str, Callable[[Ask], Awaitable[Any]]] = {
            PLAIN: bare,
            STREAMED: streamed,
            "our client": lambda ask: parts.client.send(ask.request, timeout_seconds=60.0),
            "our client, streaming": lambda ask: parts.client.send(ask.request, timeout_seconds=60.0, on_text=_unread),
            ASK: services.claude.ask,
            "Claude.ask, streaming": lambda ask: services.claude.ask(ask, on_text=_unread),
            "Claude.ask with its cache, a miss": lambda ask: services.claude.ask(ask, caching=CACHING),
            HIT: lambda _ask: services.claude.ask(kept, caching=CACHING),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, way in ways.items():
                seconds = await _cpu(way)
                if number:  # The first one warms up.
                    taken[name].append(seconds)
        medians = {name: statistics.median(values) for name, values in taken.items()}
        return medians, {name: min(values) for name, values in taken.items()}


async def _cpu(way: Callable[[Ask], Awaitable[Any]]) -> float:
    """Of one ask, all threads of the process; each ask is another one."""
    asks = [_ask(f"Lead {next(numbers)}") for _ in range(ASKS)]
    began = time.process_time()
    for ask in asks:
        await way(ask)
        await asyncio.sleep(0)  # The bare SDK over this transport never lets the loop turn.
    return (time.process_time() - began) / ASKS


def _unread(_text: str) -> None:
    """Takes text and does nothing."""


def _bare_sdk() -> anthropic.AsyncAnthropic:
    transport = rehearsal_transport(Dials.parse("", **AT_ONCE), rehearsal_author)
    client = anthropic.DefaultAsyncHttpxClient(transport=transport)
    return anthropic.AsyncAnthropic(
        api_key="sk-ant-none", base_url="https://rehearsal.invalid", http_client=client, max_retries=0
    )


def _ask(text: str) -> Ask:
    request = MessageRequest(model="claude-haiku-5-5", turns=(Turn("user", text),), max_tokens=200)
    return Ask(request=request, prompt_name="bench", prompt_version="1", operator="bench", deadline_seconds=60.0)


def test_equal_asks_at_once(settings: Settings) -> None:
    """1,000 of them make one call."""

    async def measure() -> tuple[int, int, float]:
        async with opened(settings) as services:
            began = time.perf_counter()
            answers = await asyncio.gather(*(services.claude.ask(_ask("same"), caching=CACHING) for _ in range(1_000)))
            seconds = time.perf_counter() - began
            return len({answer.text for answer in answers}), services.claude_parts.scheduler.stats().counters.asks, seconds

    texts, calls, seconds = uvloop.run(measure())
    print(f"\n1,000 equal asks at once: {calls} call, {texts} text, all answered in {seconds * 1000:.0f} ms")
    assert (texts, calls) == (1, 1)


def test_hit_rate(settings: Settings) -> None:
    """The sample's leads by the power law, one ask in five after a change, through the real analyses and cache: above 80 %."""
    leads = sample_leads()
    rates = [
        uvloop.run(_hit_rate(replace(settings, cache_prefix=f"{settings.cache_prefix}{run}:"), leads, run)) for run in (1, 2)
    ]
    print(f"\nhit rate of the first 2,000 asks from cold, LeadAnalyses and TieredCache, two runs: {rates}")
    assert min(rates) > 0.8


async def _hit_rate(settings: Settings, leads: tuple[LeadFacts, ...], run: int) -> float:
    rng = np.random.default_rng([run, 2_000])
    weights = np.arange(1, len(leads) + 1, dtype=np.float64) ** -POWER
    asked = rng.permutation(len(leads))[rng.choice(len(leads), 2_000, p=weights / weights.sum())]
    now: dict[int, LeadFacts] = {}
    hits = 0
    async with opened(settings) as services:
        for number, lead in enumerate(asked.tolist()):
            facts = now.get(lead, leads[lead])
            if rng.random() < CHANGED:
                facts = now[lead] = changed(facts, leads[rng.integers(len(leads))], rng.random(), number)
            subject = await services.subjects.described(replace(facts, market=None))
            found = await services.lead_analyses.analyse(subject, operator="bench")
            assert found.answer is not None
            hits += found.answer.cache_outcome == "hit"
    return hits / 2_000


def test_route(settings: Settings, platform_rows: None) -> None:
    """A hit of POST /api/leads/{id}/analysis: the handler on the services' loop, and over the gate as in the console."""
    path = "/api/leads/1/analysis"
    own, gated = uvloop.run(_route_here(settings, path)), _route_over_gate(settings, path)
    print(f"\na hit of POST {path}, medians of {TURNS} x 1,000, without server and sockets")
    print(f"  on the services' loop, as in serve: {own[0] * 1e6:.0f} us, {own[1] * 1e6:.0f} us of CPU")
    print(f"  over the gate, as in the console:   {gated[0] * 1e6:.0f} us, {gated[1] * 1e6:.0f} us of CPU")


async def _route_here(settings: Settings, path: str) -> tuple[float, float]:
    async with opened(settings) as services:
        reach = Served(services, Gate(asyncio.get_running_loop()))
        return await _timed(Starlette(routes=build_routes(lambda: reach)), path)


def _route_over_gate(settings: Settings, path: str) -> tuple[float, float]:
    thread = LoopThread("bench-loop")
    thread.start()

    async def life(begun: asyncio.Event, over: asyncio.Event, services: list[Services]) -> None:
        async with opened(settings) as opened_services:
            services.append(opened_services)
            begun.set()
            await over.wait()

    async def ask() -> tuple[float, float]:
        services: list[Services] = []
        begun, over = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(thread.gate.call(life(begun, over, services)))
        await wait_until_async(lambda: bool(services), timeout_seconds=60)
        reach = Served(services[0], thread.gate)
        try:
            return await _timed(Starlette(routes=build_routes(lambda: reach)), path)
        finally:
            await thread.gate.call(_set(over))
            await running

    try:
        return uvloop.run(ask())
    finally:
        thread.stop()


async def _set(event: asyncio.Event) -> None:
    event.set()


async def _timed(app: Starlette, path: str) -> tuple[float, float]:
    """Wall and CPU seconds of one request that memory answers."""
    assert b"x-cache" in await _post(app, path)
    walls, processors = [], []
    for _ in range(TURNS):
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(1_000):
            headers = await _post(app, path)
        walls.append((time.perf_counter() - wall) / 1_000)
        processors.append((time.process_time() - processor) / 1_000)
        assert headers[b"x-cache"] == b"hit; tier=memory"
    return statistics.median(walls), statistics.median(processors)


async def _post(app: Starlette, path: str) -> dict[bytes, bytes]:
    sent: dict[bytes, bytes] = {}
    bodies = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        for message in bodies:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            sent.update(message["headers"])

    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [],
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 1), "client": ("127.0.0.1", 2), "root_path": "",
    }  # fmt: skip
    await app(scope, receive, send)
    return sent
