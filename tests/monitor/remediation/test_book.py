"""The book: cooldown, the maximum per hour, what did not help, and who switched what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import UsageError
from core.monitor.remediation.book import RemedyBook
from core.monitor.remediation.run import RemedyRun, from_document, to_document
from tests.monitor.remediation.test_effect import p95, some_remedy

REMEDY = some_remedy(cooldown_seconds=600.0, most_per_hour=2)
RUN = RemedyRun(
    key="a", remedy=REMEDY.name, rule="api_p95", incident="i", who="ann", why="slow", began_at=1_000.0, by_hand=True,
    before=p95(0.2), effect="no effect", phase="over", ended_at=1_300.0,
)  # fmt: skip


def book(*runs: RemedyRun) -> RemedyBook:
    """With these runs."""
    made = RemedyBook([REMEDY], embedded=False)
    for run in runs:
        made.put(run)
    return made


def test_when_the_next_may_run() -> None:
    """By itself after the cooldown, which counts from the end; by hand at once, until the hour is full."""
    one = book(RUN)
    assert one.next_at(REMEDY.name, 1_400.0, by_hand=False) == 1_900.0
    assert one.next_at(REMEDY.name, 1_400.0, by_hand=True) == 1_400.0
    two = book(RUN, replace(RUN, key="b", began_at=2_000.0, ended_at=2_100.0))
    for by_hand in (True, False):
        assert two.next_at(REMEDY.name, 2_800.0, by_hand=by_hand) == 4_600.0
        assert two.next_at(REMEDY.name, 5_000.0, by_hand=by_hand) == 5_000.0


def test_what_did_not_help_is_not_tried_again_in_one_incident() -> None:
    """What helped, or cannot be told, may; what an operator took back may not."""
    helped = replace(RUN, effect="helped")
    failed = replace(RUN, effect=None, phase="failed", reason="Redis is gone")
    assert book(RUN).not_again(REMEDY.name, "i") == "it did not help in this incident"
    assert book(RUN).not_again(REMEDY.name, "another") == ""
    assert book(helped).not_again(REMEDY.name, "i") == ""
    assert book(failed).not_again(REMEDY.name, "i") == "it failed in this incident: Redis is gone"
    assert book(replace(helped, stopped_by="ann")).not_again(REMEDY.name, "i") == "ann took it back in this incident"


def test_a_switch_has_the_last_word() -> None:
    """Over what the store had; and it needs a reason."""
    made = book()
    choice = made.choose(REMEDY.name, automatic=False, who="ann", why="a move", wall=5.0)
    made.restore([replace(choice, automatic=True)], [RUN])
    assert not made.automatic(REMEDY.name)
    assert made.unwritten == {REMEDY.name: choice}
    assert made.runs(REMEDY.name) == (RUN,)
    with pytest.raises(UsageError, match="reason is missing"):
        made.choose(REMEDY.name, automatic=True, who="ann", why=" ", wall=5.0)
    with pytest.raises(UsageError, match="no remedy other"):
        made.choose("other", automatic=True, who="ann", why="x", wall=5.0)


def test_a_run_on_record() -> None:
    """The same after its way through the store, on another clock."""
    document = to_document(RUN, 10.0)
    assert document["ended_at"] == 1_310.0
    assert from_document(document, 10.0) == RUN
