"""Reach: how a route gets at the services, in the console through the gate, in `serve` on the loop that it runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from core.loop import Gate
from core.services import Services


class Reach(Protocol):
    """Open services and the way onto their loop."""

    @property
    def services(self) -> Services:
        """The services of this process."""
        ...

    @property
    def gate(self) -> Gate:
        """Onto their loop; a no-op when the caller is there already."""
        ...


GetReach = Callable[[], Reach]
