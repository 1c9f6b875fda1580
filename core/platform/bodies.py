"""Bodies: answers as the bytes of their JSON, made once, cached and sent as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson


def json_body(answer: Any) -> bytes:
    """The JSON of an answer, rows of the driver included: UTC times with Z, keys as they are."""
    return orjson.dumps(answer, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def _plain(value: Any) -> Any:
    """Rows of the driver are mappings of a type that orjson does not know."""
    if isinstance(value, Mapping) or hasattr(value, "items"):
        return dict(value.items())
    raise TypeError(type(value).__name__)
