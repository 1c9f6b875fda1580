"""Units: what an operator reads."""

from __future__ import annotations

import pytest

from core.platform.units import duration, percent, size


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "—"), (4.16e-6, "4.16 µs"), (0.00045, "450 µs"), (0.0821, "82.1 ms"), (3.0, "3 s"), (119.0, "119 s"),
     (180, "3 min"), (7_300, "2.03 h")],
)  # fmt: skip
def test_a_duration_has_three_digits_and_its_unit(seconds: float | None, said: str) -> None:
    """From microseconds to hours."""
    assert duration(seconds).replace("\u00a0", " ") == said


def test_a_share_is_never_rounded_up() -> None:
    """89.96 % is less than 90 %."""
    assert [percent(share).replace("\u00a0", " ") for share in (0.8996, 0.57, 1.0, None)] == [
        "89.9 %",
        "57.0 %",
        "100.0 %",
        "—",
    ]


def test_a_size_has_the_unit_that_fits() -> None:
    """Powers of 1024."""
    assert [size(count).replace("\u00a0", " ") for count in (0, 1023, 2048, 64_000_000)] == [
        "0 B",
        "1,023 B",
        "2.0 KiB",
        "61.0 MiB",
    ]
