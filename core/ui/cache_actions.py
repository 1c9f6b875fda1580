"""What an operator does to the cache: small panels that say what they run and ask first, and the word on what came of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from core.operations import Operation
from core.resilience import BreakerState
from core.ui import actions
from core.ui.session import operator, services

MESSAGE = "cache_message"


def act(work: Callable[[], Coroutine[Any, Any, Operation]]) -> bool:
    """Do it in a callback; what came of it is kept for `draw_message`."""
    return actions.act(MESSAGE, work)


def draw_message() -> None:
    """What the last action came to."""
    actions.draw_message(MESSAGE, "Redis is told when it answers")


def ask(label: str, icon: str, key: str, sentence: str, commands: Sequence[str], on_click: Callable[[], None]) -> None:
    """A button that opens what the action does and runs, and the one that does it."""
    actions.ask(label, icon, key, sentence, commands, on_click, services().cache_operations.refusal())


def redis_switch(state: BreakerState) -> None:
    """Keep the cache of this process away from Redis, or let it decide by itself again."""
    use = state == "forced_open"
    label = "Use Redis again" if use else "Keep away"
    sentence = (
        "The breaker decides by itself again whether Redis is asked."
        if use
        else "Reads of this process are answered by its memory, for moments, and by the loaders; PostgreSQL has to bear that."
    )
    commands = ("the circuit breaker redis of this process: " + ("automatic" if use else "open until Use Redis again"),)
    ask(label, "power" if use else "power_off", "redis-switch", sentence, commands, lambda: _use_redis(use))


def _use_redis(use: bool) -> None:
    act(lambda: services().cache_operations.use_redis(use, operator=operator()))
