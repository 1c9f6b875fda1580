"""The application of `python -m core serve`: the same routes, without Streamlit, on services of its own loop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware

from core.api.loopback import LoopbackOnly
from core.api.routes import build_routes
from core.loop import Gate
from core.services import Services, build_services
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Served:
    """Services on the server's own loop, where the gate is a no-op."""

    services: Services
    gate: Gate


class Worker:
    """One process that serves: its services live from the first request's loop to its end."""

    def __init__(self) -> None:
        self._served: Served | None = None

    def reach(self) -> Served:
        """The services of this process; only asked while the lifespan runs."""
        if self._served is None:
            raise RuntimeError("the lifespan has not begun")
        return self._served

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Open the services, serve, close them."""
        async with build_services(Settings.from_env(), console=False) as services:
            self._served = Served(services, Gate(asyncio.get_running_loop()))
            gc.collect()
            gc.freeze()  # What start-up made is never garbage: keep it out of every collection.
            yield


def build_app() -> Starlette:
    """The application of one worker."""
    worker = Worker()
    return Starlette(routes=build_routes(worker.reach), lifespan=worker.lifespan, middleware=[Middleware(LoopbackOnly)])


app = build_app()
