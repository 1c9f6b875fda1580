"""Plan: what is done for each row of one file, made once from its mapping.

Owns the columns of the staging table and their order, and the key that is derived where the file has no id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import orjson

from core.errors import ImportFileError
from core.importer.dates import AMBIGUOUS, Order, order_of
from core.importer.kinds import Field
from core.importer.mapping import MEASURES, Mapping, Origin, needs_market
from core.importer.markets import Markets
from core.importer.reports import ImportRequest
from core.importer.values import NULL, converter, default_of, detail_of, escaped

Cells = Sequence[str]
Read = Callable[[Cells, int], str]
Reference = tuple[str, str] | int
"""The lead that an interaction belongs to: market and external id, or its own id."""

DATE_TYPES = ("date", "month", "timestamp")
# Converted by themselves, and never a column of the table as they are.
BY_THEMSELVES = ("market", "state", "half_bathrooms", "year", "month", "lead_id", "lead_external_id", *MEASURES)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the staging table: a constant, one cell through a converter, or what `read` makes of the whole row."""

    name: str
    read: Read
    constant: str | None = None
    cell: tuple[int, Callable[[str], str]] | None = None


class Plan:
    """The columns of one file's rows; raises ImportFileError where a constant or the dates cannot be read."""

    def __init__(
        self, mapping: Mapping, columns: Sequence[str], request: ImportRequest, markets: Markets, sample: Sequence[Cells]
    ) -> None:
        self._mapping, self._request, self._markets = mapping, request, markets
        self._index = {name: number for number, name in enumerate(columns)}
        self._sample = sample
        self._words = own_words(request.words)
        self.notes: list[str] = []
        self.fields = {name: self._field(name, origin) for name, origin in mapping.origins if not _special(name)}
        self.market = self._market() if needs_market(mapping) else None
        self.measures = (
            [self.fields[name] for name in MEASURES if name in self.fields] if mapping.kind.name == "market-data" else []
        )
        self.reference = self._reference() if mapping.kind.name == "interactions" else None
        self.columns = self._columns()

    def _columns(self) -> list[Column]:
        kind = self._mapping.kind
        stored = [column for name, column in self.fields.items() if name not in BY_THEMSELVES]
        if kind.name == "properties" and "half_bathrooms" in self.fields:
            stored = [self._with_halves(column) if column.name == "bathrooms" else column for column in stored]
        if "year" in self.fields:
            stored.append(Column("date_recorded", self._first_of_month(self.fields["year"].read, self.fields["month"].read)))
        if self.market is not None and self.reference is None:
            stored.append(self.market)
        for name in ("details", "property_preferences"):
            if found := [
                (key, self._details_cell(key, origin)) for key, origin in self._mapping.origins if key.startswith(name + ".")
            ]:
                stored.append(Column(name, _details([(key.partition(".")[2], read) for key, read in found])))
        stored += self._defaults(stored)
        if kind.identity and "external_id" not in self._mapping:
            stored.append(Column("external_id", self._derived_key()))
        return sorted(stored, key=lambda column: (column.cell is None, column.constant is not None))

    def _field(self, name: str, origin: Origin) -> Column:
        item = self._mapping.kind.field(name)
        if origin.kind == "row_number":
            prefix = escaped(origin.text)
            return Column(name, lambda _cells, number: f"{prefix}{number}")
        convert = converter(
            item, order=self._order(item, origin), date_format=self._request.date_format, decimal=self._request.decimal,
            words=self._words.get(name),
        )  # fmt: skip
        if origin.kind == "constant":
            try:
                constant = convert(origin.text)
            except ValueError as error:
                raise ImportFileError(f"{name}: {error}.", f"Correct {name}={origin} in the mapping.") from None
            return _constant(name, constant)
        index = self._index[origin.text]
        return Column(name, lambda cells, _number: convert(cells[index]), None, (index, convert))

    def _order(self, item: Field, origin: Origin) -> Order | None:
        if item.type not in DATE_TYPES or self._request.date_format or origin.kind != "column":
            return None
        index = self._index[origin.text]
        order, slashed = order_of(cells[index] for cells in self._sample if index < len(cells))
        if slashed and order is None:
            raise ImportFileError(
                f"The dates of column {origin.text}: {AMBIGUOUS}.", "Add --date-format '%m/%d/%Y' or '%d/%m/%Y'."
            )
        if slashed:
            self.notes.append(f"Dates of {origin.text} are read as {'month/day/year' if order == 'mdy' else 'day/month/year'}.")
        return order

    def _defaults(self, stored: Sequence[Column]) -> list[Column]:
        """Fields that have a default of the import's own, such as the source of a lead."""
        names = {column.name for column in stored}
        missing = [
            item for item in self._mapping.kind.fields if item.type == "text" and item.default and item.name not in names
        ]
        return [_constant(item.name, text) for item in missing if (text := default_of(item))]

    def _market(self) -> Column:
        told = self._request.market or (self._request.create_market or "").rpartition(",")[0]
        origin = self._mapping.get("market") or Origin("constant", told)
        if origin.kind == "constant":
            slug = self._markets.require(origin.text)
            return _constant("market_id", slug)
        state = self._mapping.get("state")
        index, markets = self._index[origin.text], self._markets
        state_index = self._index[state.text] if state and state.kind == "column" else None
        constant_state = state.text if state and state_index is None else ""

        @lru_cache(8_192)
        def find(text: str, in_state: str) -> str:
            if (slug := markets.find(text, in_state)) is None:
                place = f"{text.strip()!r}" + (f" in {in_state}" if len(in_state) == 2 else "")
                raise ValueError(f"there is no market {place}" if text.strip() else "has no value")
            return slug

        def read(cells: Cells, _number: int) -> str:
            return find(cells[index], constant_state if state_index is None else cells[state_index].strip())

        return Column("market_id", read)

    def _with_halves(self, whole: Column) -> Column:
        half = self.fields["half_bathrooms"].read

        def read(cells: Cells, number: int) -> str:
            baths, halves = whole.read(cells, number), half(cells, number)
            return baths if NULL in (baths, halves) else f"{float(baths) + int(halves) / 2:.2f}"

        return Column("bathrooms", read)

    @staticmethod
    def _first_of_month(year: Read, month: Read) -> Read:
        def read(cells: Cells, number: int) -> str:
            parts = year(cells, number), month(cells, number)
            if NULL in parts:
                raise ValueError("has no value")
            return f"{parts[0]}-{int(parts[1]):02d}-01"

        return read

    def _details_cell(self, name: str, origin: Origin) -> Callable[[Cells], object]:
        if origin.kind == "constant":
            constant = detail_of(origin.text)
            return lambda _cells: constant
        index = self._index[origin.text]
        del name
        return lambda cells: detail_of(cells[index])

    def _reference(self) -> Callable[[Cells, int], Reference]:
        if "lead_id" in self.fields:
            own = self.fields["lead_id"].read

            def by_id(cells: Cells, number: int) -> Reference:
                text = own(cells, number)
                if text == NULL:
                    raise ValueError("lead_id: has no value")
                return int(text)

            return by_id
        external, market = self.fields["lead_external_id"].read, self.market

        def by_external_id(cells: Cells, number: int) -> Reference:
            text = external(cells, number)
            if text == NULL or market is None:
                raise ValueError("lead_external_id: has no value")
            return market.read(cells, number), _unescaped(text)

        return by_external_id

    def _derived_key(self) -> Read:
        """A hash of what identifies a row, the same at every import of the same file."""
        names = [name for name in self._mapping.kind.identity if name in self.fields]
        reads = [self.fields[name].read for name in names]
        if self.market is not None:
            reads.append(self.market.read)
        self.notes.append(f"The file has no id column: its rows are told apart by a hash of {', '.join(names)}.")

        def read(cells: Cells, number: int) -> str:
            values = [one(cells, number) for one in reads]
            if all(value == NULL for value in values[: len(names)]):
                raise ValueError(f"has no value in {', '.join(names)}, which tell the rows apart")
            return "key-" + hashlib.blake2b("\x1f".join(values).encode(), digest_size=12).hexdigest()

        return read


def own_words(parts: Sequence[str]) -> dict[str, dict[str, str]]:
    """The words of `status:yes=won`, by field; raises ImportFileError."""
    words: dict[str, dict[str, str]] = {}
    for part in parts:
        name, colon, rest = part.partition(":")
        spelling, sign, word = rest.rpartition("=")
        if not colon or not sign or not spelling or not word:
            raise ImportFileError(
                f"{part!r} does not say what a word means.", "Write field:word=meaning, such as status:yes=won."
            )
        words.setdefault(name.strip(), {})[spelling] = word.strip()
    return words


def _constant(name: str, text: str) -> Column:
    return Column(name, lambda _cells, _number: text, text)


def _special(name: str) -> bool:
    return "." in name or name in ("market", "state")


def _details(parts: list[tuple[str, Callable[[Cells], object]]]) -> Read:
    def read(cells: Cells, _number: int) -> str:
        found = {key: value for key, get in parts if (value := get(cells)) is not None}
        return escaped(orjson.dumps(found).decode())

    return read


def _unescaped(text: str) -> str:
    """The value itself, where it is a parameter and no field of COPY."""
    if "\\" not in text:
        return text
    for character, name in (("\\t", "\t"), ("\\n", "\n"), ("\\r", "\r")):
        text = text.replace(character, name)
    return text.replace("\\\\", "\\")
