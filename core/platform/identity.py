"""Identity: ids are opaque text to a caller, and of whatever type the watched schema has in PostgreSQL."""

from __future__ import annotations

from uuid import UUID

BIGINT = range(-(2**63), 2**63)
INTEGER = range(-(2**31), 2**31)


def parse_id(text: str, type_name: str) -> object | None:
    """The id as the parameter type wants it (int8, int4, uuid, text ...), or None when the text can be no such id."""
    if type_name in ("int8", "int4"):
        limits = BIGINT if type_name == "int8" else INTEGER
        # Only plain ASCII digits: int() would also take spaces, underscores and other scripts.
        number = int(text) if text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 20 else None
        return number if number is not None and number in limits else None
    if type_name == "uuid":
        try:
            return UUID(text)
        except ValueError:
            return None
    return text
