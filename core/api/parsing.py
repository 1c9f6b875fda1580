"""Parsing: query strings and bodies into models, or an Invalid that says what is wrong where."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from core.api.problem import Invalid

M = TypeVar("M", bound=BaseModel)

MAX_BODY_BYTES = 2 * 1024 * 1024


def parse_query(request: Request, model: type[M]) -> M:
    """The query string as `model`; raises Invalid (400)."""
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise Invalid("A parameter is not what this route takes.", errors=reasons(error)) from None


async def parse_body(request: Request, model: type[M], *, most_bytes: int = MAX_BODY_BYTES, required: bool = True) -> M:
    """The JSON body as `model`, which has a default for an empty one that is not `required`.

    Raises Invalid: 400, or 413 for what is too large, or 415 for what is not JSON.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Invalid("The body is not application/json.", 415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise Invalid(f"The body is larger than {most_bytes} bytes.", 413)
    if not body and not required:
        return model()
    try:
        return model.model_validate(orjson.loads(bytes(body)))
    except orjson.JSONDecodeError as error:
        raise Invalid(f"The body is not JSON: {error}.") from None
    except ValidationError as error:
        raise Invalid("The body is not what this route takes.", errors=reasons(error)) from None


def storable(text: str, most_characters: int) -> str:
    """A part of a path, or nothing when it is too long, or PostgreSQL could hold no such text; raises Invalid."""
    try:
        return text if "\x00" not in text and text.encode() and len(text) <= most_characters else ""
    except UnicodeEncodeError:
        raise Invalid("The path is not valid UTF-8.") from None


def reasons(error: ValidationError) -> list[dict[str, Any]]:
    """What is wrong where, without the values: they may be personal."""
    return [
        {"field": ".".join(str(part) for part in item["loc"]) or "body", "reason": item["msg"]}
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]
