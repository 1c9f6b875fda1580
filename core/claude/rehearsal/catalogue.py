"""Catalogue: the models that a rehearsal knows, and how `/v1/models` describes them.

They are those of the dated table of core.claude.models. What the table leaves out is not checked; a release date
is not in it, and the API gives the epoch where it knows none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from core.claude.models import Model, Models
from core.claude.rehearsal.api_error import ApiError, bad_request

_LINE = re.compile(r"claude-(haiku|sonnet|opus|fable|mythos)-")
_THINKS = re.compile(r"claude-[a-z]+-[5-9]\b")  # From generation 5 on a model thinks unless it is told not to.
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_THINKING = ("adaptive", "between_tools", "disabled", "enabled")
_EPOCH = "1970-01-01T00:00:00Z"
_PAGE = 20
_MOST_PAGE = 1000


def thinks_by_default(model: Model) -> bool:
    """Whether a model thinks where a request does not say."""
    return _THINKS.match(model.id) is not None


class Catalogue:
    """All models by id and alias, retired ones too."""

    def __init__(self, today: Callable[[], date], models: Models | None = None) -> None:
        self._today = today
        self._models = models or Models()

    def answering(self, name: str) -> Model:
        """A model that answers; raises ApiError 404 for one that is unknown or retired."""
        model = self._models.known(name)
        if model is None or self._lifecycle(model) == "retired":
            raise ApiError(404, "not_found_error", f"model: {name}")
        return model

    def described(self, name: str) -> Mapping[str, Any]:
        """One model as `/v1/models/{id}` shows it; raises ApiError 404."""
        model = self._models.known(name)
        if model is None:
            raise ApiError(404, "not_found_error", f"model: {name}")
        return self._described(model)

    def page(self, query: Mapping[str, Sequence[str]]) -> Mapping[str, Any]:
        """One page of `/v1/models`; `query` holds the lists of its parameters."""
        lifecycles = [*query.get("lifecycle", ()), *query.get("lifecycle[]", ())] or ["active", "deprecated"]
        found = [shown for shown in map(self._described, self._models.all()) if shown["lifecycle"] in lifecycles]
        ids = [shown["id"] for shown in found]
        limit = _limit(query)
        if after := query.get("after_id"):
            found = found[_place(ids, after[0]) + 1 :]
        elif before := query.get("before_id"):
            found = found[: _place(ids, before[0])][-limit:]
        shown = found[:limit]
        return {
            "data": shown,
            "has_more": len(found) > len(shown),
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
        }

    def _lifecycle(self, model: Model) -> str:
        over = model.retires_at is not None and model.retires_at <= self._today()
        return "retired" if over else model.lifecycle

    def _described(self, model: Model) -> Mapping[str, Any]:
        line = _LINE.match(model.id)
        ends = model.retires_at and datetime(model.retires_at.year, model.retires_at.month, model.retires_at.day, tzinfo=UTC)
        return {
            "type": "model",
            "id": model.id,
            "display_name": model.title,
            "created_at": _EPOCH,
            "lifecycle": self._lifecycle(model),
            "deprecated_at": None,
            "retires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ") if ends else None,
            "line": line.group(1) if line else None,
            "max_input_tokens": model.max_input_tokens,
            "max_tokens": model.max_output_tokens,
            "capabilities": _capabilities(model),
        }


def _capabilities(model: Model) -> Mapping[str, Any] | None:
    if model.efforts is None or model.thinking is None or model.structured_outputs is None:
        return None  # The table does not say.
    yes, no = {"supported": True}, {"supported": False}
    efforts = {effort: yes if effort in model.efforts else no for effort in _EFFORTS}
    types = {kind: yes if kind in model.thinking else no for kind in _THINKING}
    return {
        "batch": no,
        "citations": no,
        "code_execution": no,
        "context_management": no,
        "effort": {"supported": bool(model.efforts), **efforts},
        "image_input": no,
        "pdf_input": no,
        "server_tools": {"supported": False, "code_execution": no, "web_search": no},
        "structured_outputs": yes if model.structured_outputs else no,
        "thinking": {"supported": bool(model.thinking), "types": types},
    }


def _limit(query: Mapping[str, Sequence[str]]) -> int:
    text = query.get("limit", [str(_PAGE)])[0]
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_PAGE:
        raise bad_request(f"limit: Input should be between 1 and {_MOST_PAGE}")
    return int(text)


def _place(ids: list[str], wanted: str) -> int:
    if wanted not in ids:
        raise bad_request(f"{wanted} is not in the list of models")
    return ids.index(wanted)
