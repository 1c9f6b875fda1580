"""The blobs of the history: what goes in comes out, and adding blobs is adding samples."""

from __future__ import annotations

import numpy as np
import pytest

from core.monitor.buckets import BUCKETS
from core.monitor.history.codec import SlotsDecoder, StoredKey, encode
from core.monitor.history.rollup import add_blobs
from core.monitor.slots import Slot, counted, folded

rng = np.random.default_rng(11)
ODD: dict[StoredKey, Slot] = {
    ("every_bucket", None): Slot(0, BUCKETS, 1.5, 120.0, np.arange(BUCKETS, dtype=np.uint16).tobytes(), b"\1\0\0\0" * BUCKETS),
    ("one", ("a", "", "ü|\x1f")): folded(0, np.array([0.25])),
    ("counter", None): counted(0, 2**40),
    ("counter", ()): counted(0, 1),
    ("ends", None): Slot(0, 2**33, 1e300, 1e15, np.array([0, BUCKETS - 1], np.uint16).tobytes(), b"\xff" * 8),
}


def _random(series: int) -> dict[StoredKey, Slot]:
    return {
        (f"metric_{number % 7}_seconds", None if number % 3 else (f"{number}",)): folded(
            0, rng.lognormal(-4, rng.uniform(0.1, 3), rng.integers(1, 3_000))
        )
        for number in range(series)
    }


@pytest.mark.parametrize("slots", [ODD, {}, *(_random(series) for series in (1, 2, 40, 200))])
def test_what_goes_in_comes_out(slots: dict[StoredKey, Slot]) -> None:
    """Every count, sum and maximum to the last bit, whole or one series alone."""
    blob, decoder = encode(slots), SlotsDecoder()

    assert decoder.decode(0, blob) == slots
    for key, slot in slots.items():
        assert decoder.decode(0, blob, [key, ("unknown", None)]) == {key: slot}


@pytest.mark.parametrize("parts", [2, 6, 60])
def test_adding_blobs_is_adding_samples(parts: int) -> None:
    """However the samples of a series are spread over slots, and whether a slot has the series at all."""
    values = rng.lognormal(-4, 1, 5_000)
    chosen = [part for part in np.split(values, np.sort(rng.integers(0, len(values), parts - 1))) if len(part)]
    blobs = [encode({("all", None): folded(0, part), (f"only_{n}", ("x",)): counted(0, n)}) for n, part in enumerate(chosen)]

    found = SlotsDecoder().decode(0, add_blobs(blobs))

    whole = folded(0, values)
    assert found["all", None]._replace(total=0) == whole._replace(total=0)
    assert found["all", None].total == pytest.approx(whole.total)
    assert [found[f"only_{n}", ("x",)].samples for n in range(len(chosen))] == list(range(len(chosen)))
    again = SlotsDecoder().decode(0, add_blobs([*blobs[:1], add_blobs(blobs[1:])]))
    assert again["all", None]._replace(total=0) == whole._replace(total=0)


BAD = encode({("m", None): Slot(0, 1, 0.1, 0.1, np.array([BUCKETS], np.uint16).tobytes(), b"\1\0\0\0")})


@pytest.mark.parametrize("blob", [b"", BAD, b"rubbish", encode(ODD)[:-9]])
def test_what_is_no_blob_is_said(blob: bytes) -> None:
    """Not read as something else."""
    with pytest.raises(ValueError, match="no blob"):
        SlotsDecoder().decode(0, blob)
