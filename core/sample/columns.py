"""Columns of instants and constants, as COPY wants them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.sample.files import Floats

INSTANT = pa.timestamp("us", tz="UTC")


def instants(seconds: Floats) -> pa.Array:
    """Instants in whole microseconds, rounded down so that none passes `now`; NaN becomes null."""
    missing = np.isnan(seconds)
    micros = np.floor(np.where(missing, 0.0, seconds) * 1e6).astype(np.int64)
    return pa.array(micros, mask=missing).cast(pa.timestamp("us")).cast(INSTANT)


def dates(seconds: Floats) -> pa.Array:
    """UTC dates of instants."""
    return pa.array(seconds.astype("datetime64[s]").astype("datetime64[D]"), pa.date32())


def flags(value: bool, rows: int) -> pa.Array:
    """One flag for all rows."""
    return pa.array(np.full(rows, value))


def optional(values: npt.NDArray[np.generic], missing: npt.NDArray[np.bool_]) -> pa.Array:
    """Values with nulls where they are missing."""
    return pa.array(values, mask=missing)
