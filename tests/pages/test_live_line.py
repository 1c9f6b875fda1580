"""Shares of a live chart: the same that the browser forms out of two counters."""

from __future__ import annotations

from core.ui.live_line import SHARE_SAMPLES, LiveLine, shares


def test_a_share_is_of_the_step_when_it_holds_enough() -> None:
    """Steps before it do not move it."""
    assert shares([0, SHARE_SAMPLES], [SHARE_SAMPLES, 0], 2) == [0.0, 1.0]


def test_few_are_joined_to_those_before() -> None:
    """Until there are enough, or a minute is full; a step with nothing has no share."""
    assert shares([1, 0, 0, 3], [1, 1, 0, 0], 2) == [0.5, 1 / 3, None, 4 / 6]
    assert shares([0] * 40 + [1], [1] * 40 + [0], 2)[-1] == 1 / 30


def test_a_share_names_both_of_its_series() -> None:
    """As the route names them; other lines have one."""
    line = LiveLine("cache_answers", "share", "hit rate", ("promised", "hit"), against=("promised", "miss"))

    assert (line.series, line.rest) == ("cache_answers|promised|hit", "cache_answers|promised|miss")
    assert LiveLine("api_request_seconds", "p95", "P95").rest == ""
