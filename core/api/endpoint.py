"""Endpoint: the one frame around every route of ours: request id, time, errors.

A pure ASGI application, because Starlette's own function wrapper and a middleware around all of Streamlit would each cost more
than the frame itself. Owns the translation of core's errors into problem answers.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from core.api.claude_answers import claude_problem
from core.api.problem import Invalid, problem
from core.errors import ClaudeError, CoreError, DependencyError, SchemaError, TargetError
from core.ports import Handle, Record

log = logging.getLogger(__name__)

# What Claude is asked for is promised in seconds, not in the milliseconds of the API's other answers, so it counts apart.
PLAIN, ASKING = "api", "api_claude"
Handler = Callable[[Request], Awaitable[Response]]
RETRY_AFTER_SECONDS = 2  # Health's interval: by then it is known whether the server is back.
_REQUEST_ID = re.compile(rb"^[A-Za-z0-9._-]{1,64}$")
_run = os.urandom(4).hex()
_numbers = itertools.count(1)


class Endpoint:
    """Runs one handler and answers for it."""

    def __init__(
        self, handler: Handler, route: str, methods: Sequence[str], get_record: Callable[[], Record], kind: str = PLAIN
    ) -> None:
        self._handler = handler
        self._kind = kind
        self._route = route
        self._methods = methods
        self._get_record = get_record
        self._bound: tuple[Record, Handle] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what the handler raises becomes a problem answer."""
        started = time.perf_counter()
        request_id = _request_id(scope)
        status = 500

        async def send_framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                milliseconds = (time.perf_counter() - started) * 1000
                message["headers"] += [(b"x-request-id", request_id), (b"server-timing", b"app;dur=%.2f" % milliseconds)]
            await send(message)

        request = Request(scope, receive)
        try:
            try:
                response = await self._handler(request) if self._allows(scope) else self._wrong_method(scope)
            except Exception as error:  # noqa: BLE001 - the frame is where every error ends
                response = self._problem(error, request_id)
            await response(scope, receive, send_framed)
        finally:
            self._record(time.perf_counter() - started, status)

    def _allows(self, scope: Scope) -> bool:
        return not self._methods or scope["method"] in self._methods

    def _wrong_method(self, scope: Scope) -> Response:
        allowed = ", ".join(self._methods)
        response = problem(405, f"{scope['method']} is not what this route answers.", f"It answers {allowed}.")
        response.headers["Allow"] = allowed
        return response

    def _record(self, seconds: float, status: int) -> None:
        record = self._get_record()
        if self._bound is None or self._bound[0] is not record:  # Tests run one set of services after another.
            self._bound = (record, record.handle(f"{self._kind}_request_seconds", (self._route,)))
        self._bound[1].record(seconds)
        if status >= 400:
            record.count(f"{self._kind}_errors", 1, (self._route, f"{status // 100}xx"))

    def _problem(self, error: Exception, request_id: bytes) -> Response:
        if isinstance(error, Invalid):
            return problem(error.status, str(error), errors=error.errors)
        if isinstance(error, DependencyError | SchemaError):
            response = problem(503, str(error), error.next_step)
            response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return response
        if isinstance(error, ClaudeError):
            return claude_problem(error)
        if isinstance(error, TargetError):
            return problem(403, str(error), error.next_step)
        if isinstance(error, HTTPException):
            return problem(error.status_code, error.detail)
        if isinstance(error, ClientDisconnect):
            return problem(400, "The client went away before it had its answer.")
        log.error("request_failed route=%s request_id=%s", self._route, request_id.decode(), exc_info=error)
        advice = error.next_step if isinstance(error, CoreError) else "Report the X-Request-Id; the log has the cause."
        return problem(500, "The request could not be answered.", advice)


def _request_id(scope: Scope) -> bytes:
    """The caller's X-Request-Id when it is one, else one of ours: this process and a number."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.match(value):
            return bytes(value)
    return b"%s-%x" % (_run.encode(), next(_numbers))
