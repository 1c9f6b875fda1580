"""SearchKeys: from a query string to the cache key of its search.

Owns a small memory of query strings: parsing and checking one costs more than the whole rest of a hit.
"""

from __future__ import annotations

from pydantic import BaseModel
from starlette.requests import Request

from core.api.parsing import parse_query
from core.platform.search import Search

MOST_STRINGS = 2_000
MOST_BYTES = 300  # Of one query string: longer ones are rare, and parsed each time.


class SearchKeys:
    """The keys of one kind of search, whose parameters one model checks."""

    def __init__(self, model: type[BaseModel], search: type[Search]) -> None:
        self._model = model
        self._search = search
        self._known: dict[bytes, str] = {}

    def of(self, request: Request) -> str:
        """The key of what this request asks for; raises Invalid (400)."""
        text: bytes = request.scope["query_string"]
        known = self._known.get(text)
        if known is not None:
            return known
        key = self._search(**parse_query(request, self._model).model_dump()).key
        if len(text) <= MOST_BYTES:
            if len(self._known) >= MOST_STRINGS:
                self._known.clear()
            self._known[text] = key
        return key
