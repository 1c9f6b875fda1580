"""Rehearsal: answers like the Messages API of version 2026-10-21, inside the process, for a console without a key.

It stands under the vendor's own client as its HTTP transport, so that the same parsing, errors and streaming run as with a key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from core.claude.rehearsal.dials import Dials, DialValues, Faults

if TYPE_CHECKING:
    import httpx2

__all__ = ["Author", "DialValues", "Dials", "Faults", "rehearsal_transport"]

Author = Callable[[Mapping[str, Any]], str | None]
"""Gives the text for the body of a request, or None for the general answer; a text for a schema is sent as it is."""


def rehearsal_transport(
    dials: Dials,
    author: Author | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> httpx2.AsyncBaseTransport:
    """A transport for one client; `clock` and `sleep` let a bench run in virtual time. Imports the HTTP library lazily."""
    from core.claude.rehearsal.transport import RehearsalTransport  # noqa: PLC0415 - only a rehearsal needs it, 0.1 s

    return RehearsalTransport(dials, author, clock=clock, sleep=sleep)
