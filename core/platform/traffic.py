"""Traffic: load on the platform's API, made by a process of its own as an operation that any session can watch and cancel.

Owns that process: it is started with exactly the line that the page shows, and none is left when the operation ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from core.errors import LoadError
from core.load import LoadPlan, LoadProgress, LoadReport
from core.load.plan import Address, base_url, require_address, require_platform
from core.load.report import report_of
from core.operations import Operation, OperationRequest, Operations
from core.platform.panel import Kept, Panel
from core.ports import Progress
from core.settings import Settings
from core.target import require_target

KIND = "load"
ROOT = Path(__file__).parents[2]
MODULE = ("-m", "core")
END_SECONDS = 0.6  # For the last report; closing gives all operations one second.
COMPLAINT_LINES = 3


@dataclass(frozen=True, slots=True)
class TrafficRun:
    """One load that is over, and its report when it came to one."""

    operation: Operation
    report: LoadReport | None


@dataclass(frozen=True, slots=True)
class TrafficView:
    """What the panel draws: the load that runs here with its progress, or else the last one that is over."""

    running: Operation | None
    progress: LoadProgress | None
    last: Panel[TrafficRun | None]


class Traffic:
    """Starts loads on the console's own API and reads their reports."""

    def __init__(self, settings: Settings, operations: Operations) -> None:
        self._settings = settings
        self._operations = operations
        self._progress: LoadProgress | None = None
        self._last = Kept(self._load_last, max_age_seconds=0.0)  # No page polls for it.

    def plan(self, users: int, think_seconds: float, duration_seconds: float, *, events: bool = False) -> LoadPlan:
        """A load on this console; raises UsageError outside of the bounds."""
        address = Address.parse(base_url(self._settings))
        return LoadPlan(
            address=address, users=users, think_seconds=think_seconds, duration_seconds=duration_seconds, events=events
        )

    def command(self, plan: LoadPlan, typed: str | None = None) -> str:
        """The line that makes this load in a terminal."""
        return shlex.join(("python", *MODULE, *arguments(plan, typed)))

    async def start(self, plan: LoadPlan, typed: str | None, operator: str) -> Operation:
        """Start a load, or return the one that runs; raises TargetError, OperationError or DependencyError."""
        require_address(self._settings, plan.address, typed)
        require_platform(self._settings, typed)
        if plan.events:
            require_target(self._settings, typed)
        request = OperationRequest(
            kind=KIND,
            key=KIND,
            title=f"{plan.users:,} users, think {plan.think_seconds:g} s, for {plan.duration_seconds:g} s",
            operator=operator,
            parameters={**asdict(plan), "address": plan.address.url},
            commands=(self.command(plan, typed),),
        )

        async def work(progress: Progress) -> Mapping[str, Any]:
            return await self._run(arguments(plan, typed), progress)

        return (await self._operations.start(request, work)).operation

    def running(self) -> Operation | None:
        """The load that this process runs; no I/O, safe from any thread."""
        return next((operation for operation in self._operations.running_here() if operation.kind == KIND), None)

    async def load(self) -> TrafficView:
        """Everything that the panel draws."""
        running = self.running()
        if running is not None:
            return TrafficView(running, self._progress, Panel())
        return TrafficView(None, None, await self._last.get())

    async def _load_last(self) -> TrafficRun | None:
        for operation in await self._operations.list(limit=2, kind=KIND):
            if not operation.running:
                return TrafficRun(operation, report_of(operation.result) if operation.result else None)
        return None

    async def _run(self, line: Sequence[str], progress: Progress) -> Mapping[str, Any]:
        self._progress = None
        process = await _spawn(sys.executable, *MODULE, *line, "--json")
        try:
            assert process.stdout is not None
            output, complaint = await asyncio.gather(process.stdout.read(), self._follow(process, progress))
            await process.wait()
        finally:
            await _end(process)
        return _result(output, complaint, process.returncode)

    async def _follow(self, process: Process, progress: Progress) -> str:
        """Pass on the progress that the process writes line by line; returns what else it wrote last."""
        assert process.stderr is not None
        others: list[str] = []
        async for line in process.stderr:
            try:
                self._progress = LoadProgress(**orjson.loads(line))
            except (ValueError, TypeError):
                others = [*others, line.decode(errors="replace").strip()][-COMPLAINT_LINES:]
            else:
                progress("requests", self._progress.requests, self._progress.planned)
        return " ".join(others)


def arguments(plan: LoadPlan, typed: str | None) -> tuple[str, ...]:
    """The arguments of the command line for a plan."""
    numbers = ("--users", str(plan.users), "--think", f"{plan.think_seconds:g}", "--duration", f"{plan.duration_seconds:g}")
    seed = ("--seed", str(plan.seed)) if plan.seed != 1 else ()
    events = ("--events",) if plan.events else ()
    target = ("--target", typed.strip()) if typed and typed.strip() else ()
    return ("load", *numbers, "--url", plan.address.url, *seed, *events, *target)


async def _spawn(*command: str) -> Process:
    """The process, in a session of its own; a cancel that comes while it is being started ends it too."""
    spawning = asyncio.create_task(
        asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True),
        name="load-spawn",
    )
    try:
        return await asyncio.shield(spawning)
    except asyncio.CancelledError:
        await _end(await spawning)
        raise


async def _end(process: Process) -> None:
    """Return when the process is gone: asked first, so that it closes its connections, then killed."""
    if process.returncode is not None:
        return
    try:
        with contextlib.suppress(TimeoutError, ProcessLookupError):
            process.terminate()
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _result(output: bytes, complaint: str, code: int | None) -> Mapping[str, Any]:
    """The report of the process, also of a load with many errors; raises LoadError when there is none."""
    try:
        answer = orjson.loads(output)
    except ValueError:
        message = f"The generator ended with code {code} and no report. {complaint}".strip()
        raise LoadError(message, "Run the line in a terminal to see why.") from None
    if answer["data"] is None:
        raise LoadError(answer["error"]["message"], answer["error"]["next_step"])
    return {**answer["data"], "failure": answer["error"] and answer["error"]["message"]}
