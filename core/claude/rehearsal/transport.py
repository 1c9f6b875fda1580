"""RehearsalTransport: the Messages API inside the process, under the vendor's own client.

Owns routes, the key, request ids and which part of an answer is made when. Opens no socket.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import httpx2
import orjson

from core.claude.models import Model
from core.claude.rehearsal.answers import draft
from core.claude.rehearsal.api_error import ApiError, Headers, bad_request
from core.claude.rehearsal.catalogue import Catalogue
from core.claude.rehearsal.dials import Dials, DialValues, FaultWord
from core.claude.rehearsal.faults import FaultSequence
from core.claude.rehearsal.limits import RateLimits
from core.claude.rehearsal.message import Message
from core.claude.rehearsal.pace import Pace
from core.claude.rehearsal.prompt_cache import PromptCache
from core.claude.rehearsal.question import Question, read_question
from core.claude.rehearsal.streaming import CutBody, PacedStream

API_VERSION = "2026-10-21"
MOST_BYTES = 32 * 1024 * 1024  # The API's own limit of a request.
_LEAST_CACHEABLE = 1024  # Where the table of models does not say.
_MODELS = "/v1/models"


class RehearsalTransport(httpx2.AsyncBaseTransport):
    """Answers for one client; bound to one event loop, while its dials may be changed from any thread."""

    def __init__(
        self,
        dials: Dials,
        author: Callable[[Mapping[str, Any]], str | None] | None = None,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._dials = dials
        self._author = author
        self._clock = clock
        self._sleep = sleep
        self._wall_offset = time.time() - clock()
        self._catalogue = Catalogue(self._today)
        self._limits = RateLimits(lambda now: now + self._wall_offset)
        self._cache = PromptCache()
        self._faults = FaultSequence()
        self._numbers = itertools.count(1)
        self._id_prefix = f"req_rehearsal_{secrets.token_hex(4)}_"

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """One exchange; an error of the API is an answer, a timeout is the HTTP library's."""
        request_id = f"{self._id_prefix}{next(self._numbers):08d}"
        try:
            content = await request.aread()
            _check_head(request, content)
            return await self._route(request, content, request_id)
        except ApiError as error:
            return httpx2.Response(
                error.status, headers=_headers(request_id, b"application/json", error.headers), content=error.body(request_id)
            )

    async def _route(self, request: httpx2.Request, content: bytes, request_id: str) -> httpx2.Response:
        path = request.url.path
        if request.method == "POST" and path == "/v1/messages":
            return await self._message(request, content, request_id)
        if request.method == "POST" and path == "/v1/messages/count_tokens":
            return _plain(self._count(content), request_id)
        if request.method == "GET" and path == _MODELS:
            params = request.url.params
            return _plain(self._catalogue.page({name: params.get_list(name) for name in params}), request_id)
        if request.method == "GET" and path.startswith(_MODELS + "/"):
            return _plain(self._catalogue.described(path[len(_MODELS) + 1 :]), request_id)
        raise ApiError(404, "not_found_error", "Not Found")

    async def _message(self, request: httpx2.Request, content: bytes, request_id: str) -> httpx2.Response:
        dials = self._dials.values
        question = read_question(content, self._catalogue)
        timeout = request.extensions.get("timeout", {}).get("read")
        pace = Pace(self._clock, self._sleep, timeout, dials.tokens_per_second)
        fault = self._faults.next(dials)
        if fault == "timeout":
            await pace.never()
        self._fail(fault, question, dials)
        message, headers = self._answered(question, dials, fault)
        await pace.wait(dials.first_token_seconds)
        self._cache.write(question.model.id, _least(question.model), question.blocks, self._clock())
        if question.stream:
            stream = PacedStream(message, pace, fault, request_id)
            return httpx2.Response(
                200, headers=_headers(request_id, b"text/event-stream; charset=utf-8", headers), stream=stream
            )
        pace.begin()
        await pace.written(message.drafted.output_tokens)
        if fault == "error":
            raise ApiError(500, "api_error", "Internal server error", headers)
        full = _headers(request_id, b"application/json", headers)
        if fault == "cut":
            return httpx2.Response(200, headers=full, stream=CutBody(message.whole()))
        return httpx2.Response(200, headers=full, stream=httpx2.ByteStream(message.whole()))

    def _fail(self, fault: FaultWord | None, question: Question, dials: DialValues) -> None:
        if fault not in ("429", "529"):
            return
        headers = self._limits.headers(question.model.id, dials, self._clock())
        if fault == "529":
            raise ApiError(529, "overloaded_error", "Overloaded", [(b"x-should-retry", b"true"), *headers])
        wait = (b"retry-after", b"%d" % dials.retry_after_seconds)
        message = "This request would exceed your organization's rate limit; the rehearsal's dials asked for it."
        raise ApiError(429, "rate_limit_error", message, [wait, *headers])

    def _answered(self, question: Question, dials: DialValues, fault: FaultWord | None) -> tuple[Message, Headers]:
        now = self._clock()
        drafted = draft(question, self._author, truncate=fault == "truncate", refuse=fault == "refuse")
        usage = self._cache.read(question.model.id, _least(question.model), question.blocks, question.extra_tokens, now)
        headers = self._limits.admit(question.model.id, dials, usage.limited, drafted.output_tokens, now)
        return Message(seed=question.seed, name=question.body["model"], drafted=drafted, usage=usage), headers

    def _count(self, content: bytes) -> Mapping[str, Any]:
        question = read_question(content, self._catalogue, counting=True)
        usage = PromptCache().read(question.model.id, _least(question.model), question.blocks, question.extra_tokens, 0.0)
        return {"input_tokens": usage.all_tokens}

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock() + self._wall_offset, UTC).date()


def _check_head(request: httpx2.Request, content: bytes) -> None:
    authorization = request.headers.get("authorization", "")
    if not authorization.startswith("Bearer ") or not authorization.removeprefix("Bearer ").strip():
        raise ApiError(401, "authentication_error", "Authorization header with a Bearer key is required")
    version = request.headers.get("anthropic-version")
    if version is None:
        raise bad_request("anthropic-version: header is required")
    if version != API_VERSION:
        raise bad_request(f'anthropic-version: "{version}" is not rehearsed; "{API_VERSION}" is')
    if len(content) > MOST_BYTES:
        raise ApiError(413, "request_too_large", "Request exceeds the maximum allowed number of bytes")


def _least(model: Model) -> int:
    return model.min_cacheable_tokens or _LEAST_CACHEABLE


def _plain(value: Mapping[str, Any], request_id: str) -> httpx2.Response:
    return httpx2.Response(200, headers=_headers(request_id, b"application/json", ()), content=orjson.dumps(value))


def _headers(request_id: str, content_type: bytes, others: Sequence[tuple[bytes, bytes]]) -> Headers:
    return [
        (b"content-type", content_type),
        (b"request-id", request_id.encode()),
        (b"anthropic-organization-id", b"rehearsal"),
        *others,
    ]
