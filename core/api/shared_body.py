"""SharedBody: the bytes of an answer that all pollers share, and that those who have them are not sent."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import Response

from core.api.answers import JSON, gzipped


@dataclass(frozen=True, slots=True)
class SharedBody:
    """Built once; its tag is of its content."""

    plain: bytes
    packed: bytes
    tag: str

    @classmethod
    def of(cls, body: object) -> SharedBody:
        """The JSON of the body."""
        plain = orjson.dumps(body)
        return cls(plain, gzipped(plain), f'"{hash(plain) & 0xFFFF_FFFF_FFFF:x}"')

    def answer(self, age_seconds: float | None, request: Request) -> Response:
        """The bytes, or 304 for who has them; `Age` says how old what they tell is, where that is known."""
        headers = {"Cache-Control": "no-cache", "ETag": self.tag, "Vary": "Accept-Encoding"}
        if age_seconds is not None:
            headers["Age"] = str(int(age_seconds))
        if request.headers.get("if-none-match") == self.tag:
            return Response(None, 304, headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.packed, 200, {**headers, "Content-Encoding": "gzip"}, JSON)
        return Response(self.plain, 200, headers, JSON)
