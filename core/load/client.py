"""Client: the few requests before a load, by which it learns what the target is and what can be asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from core.errors import DependencyDown, DependencyTimeout, LoadError, TargetError
from core.load.connection import Connection, Fault, connect
from core.load.plan import Address, LoadPlan, require_platform
from core.load.scenarios import plain_get
from core.settings import Settings
from core.target import require_typed

TIMEOUT_SECONDS = 10.0
NOBODY = "Start the console (make run) or `python -m core serve`, or name another place with --url."


class Client:
    """Asks the target, one request at a time; closed by leaving its block."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection: Connection | None = None

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._connection is not None:
            self._connection.abort("closed")

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON of one GET; raises DependencyDown, DependencyTimeout, or LoadError when it is no JSON."""
        status, body, fault = await self._get(path)
        url = self._address.url
        if fault == "timeout":
            raise DependencyTimeout(f"{url} did not answer {path} within {TIMEOUT_SECONDS:g} s.")
        if fault == "closed":
            raise DependencyDown(f"{url} closed the connection before it had answered {path}.")
        try:
            return status, json.loads(body)
        except ValueError:
            message = f"{url} answered {path} with something that is no JSON (status {status})."
            raise LoadError(message, "Check that --url is the platform's API: a console, or `python -m core serve`.") from None

    async def get_items(self, path: str) -> Sequence[dict[str, Any]]:
        """The items of a list; raises an error of core when the list is not answered."""
        status, answer = await self.get(path)
        if status == 200 and isinstance(answer, dict) and isinstance(answer.get("items"), list):
            return [item for item in answer["items"] if isinstance(item, dict)]
        told = answer if isinstance(answer, dict) else {}
        message = f"{self._address.url} answered {path} with status {status}. {told.get('detail', '')}".strip()
        if status >= 500:
            raise DependencyDown(message, str(told.get("next_step") or "Start the load again once the target is ready."))
        raise LoadError(message, "Check that --url is the platform's API: a console, or `python -m core serve`.")

    async def _get(self, path: str) -> tuple[int, bytes, Fault]:
        answered: asyncio.Future[tuple[int, bytes, Fault]] = asyncio.get_running_loop().create_future()

        def done(connection: Connection, status: int, fault: Fault) -> None:
            if not answered.done():
                answered.set_result((status, connection.body, fault))

        connection = await self._open()
        connection.send(plain_get(self._address, path), done)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await answered
        except TimeoutError:
            connection.abort("timeout")
            return 0, b"", "timeout"

    async def _open(self) -> Connection:
        if self._connection is None or not self._connection.is_open:
            address = self._address
            try:
                self._connection = await connect(
                    address.host, address.port, tls=address.scheme == "https", timeout_seconds=TIMEOUT_SECONDS
                )
            except OSError as error:
                message = f"Nobody answers at {address.url}: {error.strerror or 'no connection in time'}."
                raise DependencyDown(message, NOBODY) from error
        return self._connection


async def require_allowed(client: Client, settings: Settings, plan: LoadPlan, typed: str | None) -> None:
    """Ask the target which database it stands on, and refuse one that is not embedded unless its name is typed.

    A target that does not say (no /readyz) is judged by the settings; raises TargetError.
    """
    try:
        _, answer = await client.get("/readyz")
    except LoadError:
        answer = None
    where = _database_of(answer)
    if not isinstance(answer, Mapping) or where is None:
        require_platform(settings, typed)
        return
    if where == "embedded":
        return
    environment, parts = str(answer.get("environment", "local")), urlsplit(where)
    name = environment if environment != "local" else f"{parts.hostname or 'socket'}{parts.path}"
    require_typed(name, typed, f"This puts load on {name}, which is not an embedded database.")
    if plan.events and answer.get("mode") != "operate":
        raise TargetError(f"{name} is only watched (MODE=watch): no event is stored.", "Leave out the events.")


def _database_of(answer: object) -> str | None:
    dependencies = answer.get("dependencies") if isinstance(answer, Mapping) else None
    if not isinstance(dependencies, list):
        return None
    places = (item.get("where") for item in dependencies if isinstance(item, Mapping) and item.get("name") == "postgresql")
    return next((str(place) for place in places if place), None)
