"""Values: the text of a cell, read by the type of its field, as PostgreSQL's COPY takes it.

Owns what counts as no value, as a number and as a word. Every converter takes a cell and returns the text for COPY, or raises
ValueError with a reason that an operator understands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias

from core.importer.dates import Order, day_reader, moment_reader
from core.importer.kinds import Field
from core.importer.words import aliases, plain

Converter: TypeAlias = Callable[[str], str]

NULL = "\\N"
# Typed fields only: 'None' may be a street, and Null is a family name.
NO_VALUE = frozenset({"", "null", "none", "na", "n/a", "#n/a", "nan", "nil", "-", "\\n"})
CACHED = 8_192
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_PLAIN_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)\Z")
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]{1,3}\Z")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]|\+")  # Codes and phone numbers stay text.
_CURRENCY = re.compile(r"^(?:US\$|USD|EUR|GBP|[$€£])\s*|\s*(?:USD|EUR|GBP|dollars|[$€£])$", re.IGNORECASE)
_GROUPED = {
    ".": re.compile(r"^[+-]?[0-9]{1,3}(?:([,' \u00a0\u202f])[0-9]{3})(?:\1[0-9]{3})*(?:\.[0-9]*)?$"),
    ",": re.compile(r"^[+-]?[0-9]{1,3}(?:([.' \u00a0\u202f])[0-9]{3})(?:\1[0-9]{3})*(?:,[0-9]*)?$"),
}
TRUE_WORDS, FALSE_WORDS = frozenset({"true", "yes", "y", "t"}), frozenset({"false", "no", "n", "f"})
DIGITS_MOST = 40  # More digits than any column holds; bounds the work of one cell.
CLOCK_SLACK = timedelta(days=1)


def escaped(text: str) -> str:
    """Any text as COPY takes it; raises ValueError for what PostgreSQL cannot store."""
    if text.isprintable() and "\\" not in text:
        return text
    if "\0" in text:
        raise ValueError("holds a NUL character")
    return text.translate(_ESCAPES)


def number_text(text: str, decimal: str) -> str:
    """A number without currency sign, separators of thousands and percent; raises ValueError."""
    if _PLAIN_NUMBER.match(text) and (decimal == "." or "." not in text) and len(text) <= DIGITS_MOST:
        return text
    bare = _CURRENCY.sub("", text).strip()
    if len(bare) > DIGITS_MOST:
        raise ValueError(f"{_short(text)} is not a number")
    if match := _GROUPED[decimal].match(bare):
        bare = bare.replace(match[1], "")
    if decimal == ",":
        if "." in bare:
            raise ValueError(f"{_short(text)} is not a number with a decimal comma")
        bare = bare.replace(",", ".")
    if _PLAIN_NUMBER.match(bare):
        return bare
    if _SCIENTIFIC.match(bare):
        return repr(float(bare))  # PostgreSQL refuses 1e-400; here it is 0.0.
    hint = "; is the decimal sign a comma?" if decimal == "." and "," in bare else ""
    raise ValueError(f"{_short(text)} is not a number{hint}")


def detail_of(cell: str) -> str | float | bool | None:
    """A cell as JSON holds it: number, true or false, text; None for no value."""
    text = cell.strip()
    lower = text.lower()
    if lower in NO_VALUE:
        return None
    if lower in TRUE_WORDS or lower in FALSE_WORDS:
        return lower in TRUE_WORDS
    if _PLAIN_NUMBER.match(text) and len(text) <= 15 and not _LEADING_ZERO.match(text):
        number = float(text)
        return int(number) if number.is_integer() else number
    if "\0" in text:
        raise ValueError("holds a NUL character")
    if len(text) > 2_000:
        raise ValueError(f"has {len(text):,} characters, at most 2,000")
    return text


def converter(
    item: Field, *, order: Order | None = None, date_format: str | None = None, decimal: str = ".",
    words: Mapping[str, str] | None = None,
) -> Converter:  # fmt: skip
    """The converter of one field."""
    if item.type == "text":
        return _text(item)
    if item.type == "word":
        return _cached(item, _word(item, words or {}))
    if item.type in ("integer", "number"):
        return _cached(item, _number(item, decimal))
    if item.type == "timestamp":
        return _cached(item, _timestamp(moment_reader(order, date_format)))
    day = day_reader(order, date_format)
    if item.type == "month":
        return _cached(item, lambda text: day(text).replace(day=1).isoformat())
    return _cached(item, lambda text: day(text).isoformat())


def _cached(item: Field, convert: Converter) -> Converter:
    """With the field's rule for no value; columns repeat their values, so most cells cost one look-up."""
    instead = default_of(item)

    def read(cell: str) -> str:
        text = cell.strip()
        if text.lower() in NO_VALUE:
            if instead is None:
                raise ValueError("has no value")
            return instead
        return convert(text)

    return lru_cache(CACHED)(read)


def default_of(item: Field) -> str | None:
    """What stands for no value; None where a value is required."""
    if item.default == "now":
        return datetime.now(UTC).isoformat()
    if item.default is not None:
        return item.default
    return None if item.required else NULL


def _text(item: Field) -> Converter:
    most, instead = int(item.most or 0), default_of(item)

    def read(cell: str) -> str:
        text = cell.strip()
        if not text:
            if instead is None:
                raise ValueError("has no value")
            return instead
        if len(text) > most:
            raise ValueError(f"has {len(text):,} characters, at most {most:,}")
        return text if text.isprintable() and "\\" not in text else escaped(text)

    return read


def _word(item: Field, own: Mapping[str, str]) -> Converter:
    known = {**aliases(item.words), **{plain(spelling): word for spelling, word in own.items()}}

    def read(text: str) -> str:
        word = known.get(plain(text))
        if word is None:
            raise ValueError(f"{_short(text)} is none of {', '.join(item.words)}")
        return word

    return read


def _number(item: Field, decimal: str) -> Converter:
    whole = item.type == "integer"

    def read(text: str) -> str:
        plain_text = number_text(text, decimal)
        value = float(plain_text)
        if whole and plain_text.lstrip("+-").isdigit():
            exact = int(plain_text)
        elif whole and value.is_integer() and abs(value) < 2**53:
            exact = int(value)
        elif whole:
            raise ValueError(f"{_short(text)} is not a whole number")
        else:
            exact = None
        _check_bounds(item, value if exact is None else exact, text)
        return plain_text if exact is None else str(exact)

    return read


def _check_bounds(item: Field, value: float, text: str) -> None:
    if item.above is not None and value <= item.above:
        raise ValueError(f"{_short(text)} is not above {item.above:,.15g}")
    if item.least is not None and value < item.least:
        raise ValueError(f"{_short(text)} is below {item.least:,.15g}")
    if item.most is not None and value > item.most:
        raise ValueError(f"{_short(text)} is above {item.most:,.15g}")
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN is the one value unlike itself
        raise ValueError(f"{_short(text)} is not a number")


def _timestamp(moment: Callable[[str], datetime]) -> Converter:
    latest = datetime.now(UTC) + CLOCK_SLACK

    def read(text: str) -> str:
        when = moment(text)
        if when > latest:
            raise ValueError(f"{_short(text)} lies in the future")
        return when.isoformat()

    return read


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
