"""Claude: asks become typed answers: from the cache, or scheduled, counted, checked and repaired once.

Owns the way of an ask. Refuses to keep an answer that failed its check, and to mix rehearsed answers with real ones: every key
names its scope.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from core.claude.answer_log import AnswerLog
from core.claude.costs import Prices
from core.claude.feeds import Feed, Feeds
from core.claude.kept import answer_of, kept_form, reply_of
from core.claude.messages import Answer, Ask, AttemptRecord, OnAttempt, OnText, Reply, Scope, Usage
from core.claude.outcomes import Outcomes
from core.claude.repair import repair_request
from core.claude.scheduler import Scheduler
from core.claude.streams import streamed
from core.errors import ClaudeError, ClaudeInvalid, ClaudeTimeout
from core.ports import ReadThrough, Record

Check = Callable[[Reply], tuple[str, ...]]
"""Says what is wrong with a reply, one sentence each; empty when it can be used."""

MANY_AT_ONCE = 64  # Of one ask_many: enough to fill the scheduler, few enough to be stopped at once.
# The scheduler keeps the deadline; what comes later keeps it only where that was of another ask. So a failure is known by its
# name, and an expired answer can still take its place.
GRACE_SECONDS, CACHE_SLACK_SECONDS = 0.5, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Caching:
    """How an answer is kept: its family of keys and its life."""

    family: str
    ttl_seconds: float
    tags: tuple[str, ...] = ()


class Claude:
    """Bound to the loop that opened it."""

    def __init__(
        self, scheduler: Scheduler, cache: ReadThrough, answers: AnswerLog, record: Record, *, scope: Scope, prices: Prices
    ) -> None:
        self.scope: Scope = scope
        self._scheduler = scheduler
        self._cache = cache
        self._answers = answers
        self._prices = prices
        self._outcomes = Outcomes(record, scope)
        self._feeds = Feeds()

    @property
    def rehearsal(self) -> bool:
        """Whether answers are rehearsed, because there is no key."""
        return self.scope == "rehearsal"

    def prompt_hash(self, ask: Ask) -> str:
        """SHA-256 of what decides the answer, in hexadecimal: request, prompt and version, and who answers."""
        text = f"{self.scope}\n{ask.prompt_name}\n{ask.prompt_version}\n{ask.request.fingerprint()}"
        return hashlib.sha256(text.encode()).hexdigest()

    def key(self, ask: Ask, caching: Caching) -> str:
        """The cache key of an ask; rehearsed and real answers never share one."""
        return f"{caching.family}:{self.scope}.{self.prompt_hash(ask)}"

    async def ask(
        self,
        ask: Ask,
        *,
        caching: Caching | None = None,
        check: Check | None = None,
        on_text: OnText | None = None,
        on_attempt: OnAttempt | None = None,
        fresh: bool = False,
    ) -> Answer:
        """The answer to one ask; raises the ClaudeError that names why there is none.

        With `caching` an equal ask is answered from the cache; equal asks at once make one call, whose text all of them get. A
        `fresh` answer is made in any case, and takes the place of the kept one only when it is there.
        An expired answer takes the place of a failed call: its source is "stale", its reason the failure's kind. `on_attempt`
        hears of each exchange of an ask without caching, also where no answer comes of it.
        """
        started = _clock()
        try:
            async with asyncio.timeout(ask.deadline_seconds + GRACE_SECONDS):
                if caching is None:
                    answer = await self._made(ask, check, on_text, started, on_attempt)
                elif fresh:
                    answer = await self._anew(ask, caching, check, on_text, started, on_attempt)
                else:
                    answer = await self._kept(ask, caching, check, on_text, started)
        except TimeoutError:
            self._outcomes.failed(ClaudeTimeout.kind)
            raise ClaudeTimeout(f"No answer within {ask.deadline_seconds:g} s.") from None
        except ClaudeError as error:
            self._outcomes.failed(error.kind)
            raise
        self._outcomes.answered(ask, answer)
        return answer

    def stream(self, ask: Ask, *, caching: Caching | None = None, check: Check | None = None) -> AsyncIterator[str | Answer]:
        """The text of an answer as it comes, then the Answer; leaving early ends the call."""
        return streamed(lambda on_text: self.ask(ask, caching=caching, check=check, on_text=on_text))

    async def ask_many(
        self,
        asks: Sequence[Ask],
        *,
        caching: Caching | None = None,
        check: Check | None = None,
        on_done: Callable[[int], None] | None = None,
    ) -> list[Answer | ClaudeError]:
        """The answers in the order of the asks, an error in place of one that failed.

        `on_done` gets the position of each ask when it is over.
        """
        answers: dict[int, Answer | ClaudeError] = {}
        waiting = iter(enumerate(asks))

        async def worker() -> None:
            for position, ask in waiting:
                try:
                    answers[position] = await self.ask(ask, caching=caching, check=check)
                except ClaudeError as error:
                    answers[position] = error
                if on_done is not None:
                    on_done(position)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(MANY_AT_ONCE, len(asks))):
                group.create_task(worker(), name="claude ask_many")
        return [answers[position] for position in range(len(asks))]

    async def _anew(
        self, ask: Ask, caching: Caching, check: Check | None, on_text: OnText | None, started: float,
        on_attempt: OnAttempt | None = None,
    ) -> Answer:  # fmt: skip
        answer = await self._made(ask, check, on_text, started, on_attempt)
        await self._cache.set(self.key(ask, caching), kept_form(answer), ttl_seconds=caching.ttl_seconds, tags=caching.tags)
        return answer

    async def _kept(self, ask: Ask, caching: Caching, check: Check | None, on_text: OnText | None, started: float) -> Answer:
        key = self.key(ask, caching)
        mine: list[Answer] = []
        with self._feeds.joined(key, on_text) as feed:

            async def load() -> Any:
                mine.append(await self._fed(ask, feed, check, started))
                return kept_form(mine[0])

            if feed.ask is not None and feed.ask.lane == "background" and ask.lane == "interactive":
                self._scheduler.promote(feed.ask)
            read = await self._cache.read(
                key, load, ttl_seconds=caching.ttl_seconds, tags=caching.tags, paid=True,
                timeout_seconds=ask.deadline_seconds + CACHE_SLACK_SECONDS,
            )  # fmt: skip
            if mine:
                return replace(mine[0], cache_outcome=read.outcome, cache_reason=read.reason)
            answer = answer_of(read, _clock() - started)
            if answer is None or (check is not None and check(reply_of(answer))):  # Kept before its check was what it is now.
                anew = await self._anew(ask, caching, check, on_text, started)
                return replace(anew, cache_outcome="miss", cache_reason="unusable")
            return replace(answer, cache_reason=feed.error_kind or read.reason) if read.outcome == "stale" else answer

    async def _fed(self, ask: Ask, feed: Feed, check: Check | None, started: float) -> Answer:
        """Make the answer that everybody who joined the feed waits for."""
        feed.begin(ask)
        try:
            return await self._made(ask, check, feed.write, started)
        except ClaudeError as error:
            feed.error_kind = error.kind
            raise

    async def _made(
        self, ask: Ask, check: Check | None, on_text: OnText | None, started: float, on_attempt: OnAttempt | None = None
    ) -> Answer:
        attempts: list[AttemptRecord] = []

        def note(attempt: AttemptRecord) -> None:
            attempts.append(attempt)
            if on_attempt is not None:
                on_attempt(attempt)

        first_token = _FirstToken(on_text, started)
        scheduled = await self._scheduler.run(ask, on_text=first_token.see if on_text else None, on_attempt=note)
        reply, repairs = scheduled.reply, 0
        if problems := check(reply) if check else ():
            repairs = 1
            again = await self._scheduler.run(ask, repair_request(ask.request, reply, problems), on_attempt=note)
            reply = again.reply
            if problems := check(reply) if check else ():
                raise ClaudeInvalid(f"The answer cannot be used, also after a repair: {' '.join(problems)}")
        usage = sum((attempt.usage for attempt in attempts), Usage())
        answer = Answer(
            text=reply.text,
            value=reply.value,
            source=self.scope,
            model=reply.model,
            prompt_name=ask.prompt_name,
            prompt_version=ask.prompt_version,
            prompt_hash=self.prompt_hash(ask),
            rehearsal=self.rehearsal,
            usage=usage,
            cost_usd=self._cost_usd(attempts),
            attempts=tuple(attempts),
            repairs=repairs,
            queue_seconds=scheduled.queue_seconds,
            first_token_seconds=first_token.seconds,
            duration_seconds=_clock() - started,
            answered_at=datetime.now(UTC),
        )
        self._answers.add(answer)
        return answer

    def _cost_usd(self, attempts: Sequence[AttemptRecord]) -> float | None:
        costs = [self._prices.cost_usd(attempt.model, attempt.usage) for attempt in attempts]
        return None if None in costs else sum(filter(None, costs))


class _FirstToken:
    """Passes text on, and remembers when the first came."""

    def __init__(self, on_text: OnText | None, started: float) -> None:
        self.seconds: float | None = None
        self._on_text = on_text
        self._started = started

    def see(self, text: str) -> None:
        if self.seconds is None:
            self.seconds = _clock() - self._started
        if self._on_text is not None:
            self._on_text(text)


def _clock() -> float:
    return asyncio.get_running_loop().time()
