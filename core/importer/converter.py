"""RowConverter: the cells of one row into lines for COPY, or all the reasons why it has none."""

from __future__ import annotations

from collections.abc import Sequence

from core.importer.plan import Cells, Plan, Reference
from core.importer.source import Row
from core.importer.values import NULL

REASON_MOST = 1_000


class RowFault(Exception):
    """Why a row cannot be imported."""


class RowConverter:
    """Runs a plan; `columns` names the fields of its lines in order."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._direct = [column.cell for column in plan.columns if column.cell is not None]
        self._computed = [column.read for column in plan.columns if column.cell is None and column.constant is None]
        self._constants = [column.constant for column in plan.columns if column.constant is not None]
        measured = ("data_type", "value") if plan.measures else ()
        self.columns: tuple[str, ...] = (*(column.name for column in plan.columns), *measured)

    def lines(self, cells: Cells, number: int) -> Sequence[str]:
        """The row as lines of COPY, nearly always one; raises RowFault with every reason."""
        try:
            values = [convert(cells[index]) for index, convert in self._direct]
            for read in self._computed:
                values.append(read(cells, number))  # noqa: PERF401 - the list is extended in place for speed
        except ValueError:
            raise RowFault(self.reasons(cells, number)) from None
        line = "\t".join(values + self._constants)
        return self._figures(line, cells, number) if self._plan.measures else (line,)

    def converted(self, row: Row, number: int) -> tuple[Sequence[str], Reference | None]:
        """The lines of a row and the lead that an interaction belongs to; raises RowFault."""
        if row.fault:
            raise RowFault(row.fault)
        lines = self.lines(row.cells, number)
        if self._plan.reference is None:
            return lines, None
        try:
            return lines, self._plan.reference(row.cells, number)
        except ValueError as error:
            raise RowFault(str(error)) from None

    def reasons(self, cells: Cells, number: int) -> str:
        """Everything that is wrong with a row."""
        found = []
        for column in self._plan.columns:
            try:
                column.read(cells, number)
            except ValueError as error:
                found.append(f"{'market' if column.name == 'market_id' else column.name}: {error}")
        return "; ".join(found)[:REASON_MOST]

    def _figures(self, line: str, cells: Cells, number: int) -> list[str]:
        """One line for each figure that the row has."""
        lines, faults = [], []
        for measure in self._plan.measures:
            try:
                value = measure.read(cells, number)
            except ValueError as error:
                faults.append(f"{measure.name}: {error}")
                continue
            if value != NULL:
                lines.append(f"{line}\t{measure.name}\t{value}")
        if faults or not lines:
            raise RowFault("; ".join(faults) or "has no figure")
        return lines
