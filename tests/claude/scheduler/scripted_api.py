"""ScriptedApi: stands where sending would be; a test answers, fails or lets wait each call by itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from core.claude.messages import (
    Ask,
    AttemptRecord,
    MessageRequest,
    OnAttempt,
    OnText,
    RateHeadroom,
    Reply,
    Turn,
    Usage,
)
from core.claude.scheduler import Scheduled, Scheduler
from core.errors import ClaudeError
from tests.virtual_time import now, pass_time

START = datetime(2026, 11, 23, tzinfo=UTC)
MODEL = "claude-haiku-5-5"


def ask(name: str = "", *, model: str = MODEL, system: str = "", **purpose: object) -> Ask:
    """An ask that is known by its name."""
    request = MessageRequest(model=model, turns=(Turn("user", name),), max_tokens=100, system=system)
    return Ask(request=request, prompt_name=name, prompt_version="1", operator="test", **purpose)


def remaining(requests: int, *, limit: int = 60, reset_seconds: float | None = None) -> dict[str, RateHeadroom]:
    """Rate headers of requests, of now."""
    resets_at = None if reset_seconds is None else wall() + timedelta(seconds=reset_seconds)
    return {"requests": RateHeadroom(limit=limit, remaining=requests, resets_at=resets_at)}


def wall() -> datetime:
    """The wall clock of the loop's time."""
    return START + timedelta(seconds=now())


class Call:
    """One call under way."""

    def __init__(self, ask: Ask, request: MessageRequest, timeout_seconds: float, on_text: OnText | None) -> None:
        self.ask = ask
        self.name = ask.prompt_name
        self.model = request.model
        self.timeout_seconds = timeout_seconds
        self.on_text = on_text
        self.began_at = now()
        self.cancelled = False
        self.usage = Usage(input_tokens=10, output_tokens=10)
        self.headroom: dict[str, RateHeadroom] = {}
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def answer(self, *, headroom: dict[str, RateHeadroom] | None = None, usage: Usage | None = None) -> None:
        """End it well, and let follow what follows."""
        self.headroom, self.usage = headroom or {}, usage or self.usage
        self.end.set_result(None)
        await pass_time(0)

    async def fail(self, error: Exception, *, headroom: dict[str, RateHeadroom] | None = None) -> None:
        """End it with this error, and let follow what follows."""
        self.headroom = headroom or {}
        self.end.set_exception(error)
        await pass_time(0)

    async def say(self, text: str) -> None:
        """Stream a piece of text."""
        assert self.on_text is not None, "Nobody listens."
        self.on_text(text)
        await pass_time(0)


class ScriptedApi:
    """Keeps every call in the order of its beginning."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    @property
    def names(self) -> list[str]:
        """Of all calls so far."""
        return [call.name for call in self.calls]

    async def send(
        self, ask: Ask, request: MessageRequest, timeout_seconds: float, on_text: OnText | None, on_attempt: OnAttempt
    ) -> Reply:
        """What the scheduler calls."""
        call, started_at = Call(ask, request, timeout_seconds, on_text), wall()
        self.calls.append(call)
        outcome = "timeout"
        try:
            await call.end
            outcome = "ok"
        except ClaudeError as error:
            outcome = error.kind
            raise
        except asyncio.CancelledError:
            call.cancelled = True
            raise
        finally:
            on_attempt(
                AttemptRecord(
                    model=request.model,
                    outcome=outcome,
                    status=200 if outcome == "ok" else None,
                    request_id=f"req_{len(self.calls)}",
                    started_at=started_at,
                    duration_seconds=now() - call.began_at,
                    headroom=call.headroom,
                )
            )
        return reply(request.model, call.usage, now() - call.began_at)


def reply(model: str, usage: Usage, seconds: float) -> Reply:
    """An answer to anything."""
    return Reply(
        text="yes", value=None, thinking="", model=model, stop_reason="end_turn", usage=usage, request_id="req",
        first_token_seconds=None, duration_seconds=seconds,
    )  # fmt: skip


async def begin(scheduler: Scheduler, *asks: Ask) -> list[asyncio.Task[Scheduled]]:
    """Let the scheduler run these, in this order."""
    tasks = [asyncio.create_task(scheduler.run(ask)) for ask in asks]
    await pass_time(0)
    return tasks
