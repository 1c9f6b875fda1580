"""PlanTree: a plan of EXPLAIN as a tree that a person reads, and what of it tells one plan from another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CONDITIONS = ("Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter", "Filter", "Sort Key")
MOST_CHARACTERS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNode:
    """One step; rows and seconds are those of all loops together, buffers in pages with the steps below included.

    Not `measured`: the planner's expectation alone, of a statement that was not run.
    """

    kind: str
    relation: str
    index: str
    conditions: tuple[str, ...]
    rows_expected: float
    rows: float
    loops: int
    removed_rows: int
    seconds: float | None
    hit: int
    read: int
    children: tuple[PlanNode, ...]
    measured: bool = True

    @property
    def title(self) -> str:
        """As a plan names it: Index Scan on leads using leads_score_idx."""
        on = f" on {self.relation}" if self.relation else ""
        return f"{self.kind}{on}{f' using {self.index}' if self.index else ''}"

    def steps(self) -> Iterator[PlanNode]:
        """This step and all below it."""
        yield self
        for child in self.children:
            yield from child.steps()

    def shape(self) -> tuple[str, ...]:
        """What stays the same while the plan does: each step with its depth, relation and index, without figures."""
        return (self.title, *(f"  {line}" for child in self.children for line in child.shape()))


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What one plan has that another has not; the scans alone, since joins and sorts follow from them."""

    changed: bool
    gone: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """In words."""
        if not self.changed:
            return "The plan is the same."
        gone, new = " and ".join(self.gone), " and ".join(self.new)
        words = f"{new} in place of {gone}" if gone and new else f"without {gone}" if gone else new
        return f"The plan changed: {words or 'the same scans, put together otherwise'}."


def parse_plan(found: Mapping[str, Any]) -> PlanNode:
    """The tree of the "Plan" of EXPLAIN (FORMAT JSON), with ANALYZE and BUFFERS or without."""
    loops = int(found.get("Actual Loops", 1))
    milliseconds = found.get("Actual Total Time")
    removed = sum(int(value) for name, value in found.items() if name.startswith("Rows Removed by"))
    return PlanNode(
        kind=_kind(found),
        relation=found.get("Relation Name") or found.get("CTE Name") or found.get("Function Name") or "",
        index=found.get("Index Name", ""),
        conditions=tuple(f"{name}: {_text(found[name])}" for name in CONDITIONS if name in found),
        rows_expected=float(found.get("Plan Rows", 0)) * max(loops, 1),
        rows=float(found.get("Actual Rows", 0)) * loops,
        loops=loops,
        removed_rows=removed * max(loops, 1),
        seconds=None if milliseconds is None else milliseconds * loops / 1000,
        hit=int(found.get("Shared Hit Blocks", 0)),
        read=int(found.get("Shared Read Blocks", 0)),
        children=tuple(parse_plan(child) for child in found.get("Plans", ())),
        measured="Actual Loops" in found,
    )


def plan_lines(node: PlanNode, depth: int = 0) -> list[str]:
    """The tree as text: each step with what it cost, its conditions under it."""
    arrow = f"{'   ' * (depth - 1)}└─ " if depth else ""
    seconds = "" if node.seconds is None else f"  {node.seconds * 1000:,.2f} ms"
    loops = f" in {node.loops:,} loops" if node.loops > 1 else ""
    expected = f" ({node.rows_expected:,.0f} expected)" if _far(node.rows, node.rows_expected) else ""
    pages = f"  {node.hit + node.read:,} pages" + (f", {node.read:,} of them read" if node.read else "")
    never = node.loops == 0
    figures = "  never run" if never else f"{seconds}  {node.rows:,.0f} rows{expected}{loops}{pages}"
    if not node.measured:
        figures = f"  {node.rows_expected:,.0f} rows expected"
    indent = "   " * depth + "     "
    lines = [f"{arrow}{node.title}{figures}", *(f"{indent}{condition}" for condition in node.conditions)]
    if node.removed_rows:
        lines.append(f"{indent}{node.removed_rows:,} rows looked at and dropped")
    for child in node.children:
        lines += plan_lines(child, depth + 1)
    return lines


def plan_change(before: PlanNode, after: PlanNode) -> PlanChange:
    """How two plans differ; figures do not count."""
    old, new = _scans(before), _scans(after)
    gone, came = tuple(sorted(old - new)), tuple(sorted(new - old))
    return PlanChange(before.shape() != after.shape(), gone, came)


def _scans(node: PlanNode) -> set[str]:
    return {step.title for step in node.steps() if step.relation or step.index}


def _kind(found: Mapping[str, Any]) -> str:
    kind = str(found.get("Node Type", "?"))
    if found.get("Scan Direction") == "Backward":
        kind += " Backward"
    join = found.get("Join Type")
    named = f"{found['Subplan Name']}: " if "Subplan Name" in found else ""
    return f"{named}{kind} {join}" if join and join != "Inner" else f"{named}{kind}"


def _text(condition: Any) -> str:
    text = ", ".join(map(str, condition)) if isinstance(condition, list) else str(condition)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …"


def _far(rows: float, expected: float) -> bool:
    """Whether the planner was wrong by ten times or more, where it matters."""
    return max(rows, expected) >= 100 and max(rows, expected) >= 10 * max(min(rows, expected), 1)
