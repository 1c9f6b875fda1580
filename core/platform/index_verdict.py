"""Index verdict: the first line of the index page, judged from what PostgreSQL says of the set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.database.indexes.catalog import SetIndex
from core.platform.index_builds import IndexBuild
from core.platform.panel import Panel

Tone = Literal["fine", "busy", "missing", "broken", "unknown"]


@dataclass(frozen=True, slots=True)
class IndexVerdict:
    """How the set stands, in one sentence, and what to do."""

    tone: Tone
    sentence: str
    next_step: str = ""


def judge_indexes(panel: Panel[tuple[SetIndex, ...]], builds: Sequence[IndexBuild]) -> IndexVerdict:
    """The worst finding decides, after what runs now: unknown, building, broken, another, missing, not on record, fine."""
    if panel.value is None or panel.error:
        return IndexVerdict("unknown", f"Cannot tell which indexes there are: {panel.error.rstrip('.')}", panel.next_step)
    if builds:
        return IndexVerdict("busy", f"Being built now: {_named([build.index for build in builds])}")
    broken = [one.notes.name for one in panel.value if one.state.state == "invalid"]
    if broken:
        one = len(broken) == 1
        what = "is broken: it serves no query and costs" if one else "are broken: they serve no query and cost"
        step = f"Choose {'it' if one else 'them'} below and build again: what is left is dropped first."
        return IndexVerdict("broken", f"{_named(broken)} {what} at every write", step)
    if other := next((one for one in panel.value if one.state.state == "different"), None):
        return IndexVerdict("broken", f"{other.notes.name} is not the index that is meant", other.state.next_step)
    return _standing(panel.value)


def _standing(found: Sequence[SetIndex]) -> IndexVerdict:
    """How much of the set is there, where nothing is wrong with it."""
    valid = sum(one.state.state == "valid" for one in found)
    if not valid:
        sentence = f"None of the {len(found)} indexes of the set is built"
        return IndexVerdict("missing", sentence, "Choose indexes below; the preflight says whether one can be built now.")
    if valid < len(found):
        missing = [one.notes.name for one in found if one.state.state == "absent"]
        step = f"Choose {missing[0] if len(missing) == 1 else f'some of the other {len(missing)}'} below."
        return IndexVerdict("missing", f"{valid} of the {len(found)} indexes of the set are built", step)
    if wrong := [one.notes.name for one in found if not one.agrees]:
        step = f"Put {'it' if len(wrong) == 1 else 'them'} on record with Adopt: {', '.join(wrong)}."
        return IndexVerdict("fine", f"All {len(found)} indexes of the set are built, {len(wrong)} not on record", step)
    return IndexVerdict("fine", f"All {len(found)} indexes of the set are built and valid")


def _named(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} indexes"
