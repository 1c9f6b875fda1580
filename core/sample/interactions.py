"""Rows of `lead_interactions`: what kind of contact each was, by the hour of the day, and its details."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.database.schema import INTERACTION_TYPES
from core.sample.calendars import local_hour
from core.sample.columns import flags, instants
from core.sample.files import Floats, Integers
from core.sample.texts import take

# Share of each type: at first contact, in office hours, and outside them, when nobody calls.
TYPE_TABLE = np.array(
    [
        # email_open link_click form_submit call_answered email_sent call_missed page_view showing_booked
        [0.00, 0.00, 0.12, 0.16, 0.56, 0.14, 0.00, 0.02],
        [0.20, 0.11, 0.06, 0.08, 0.19, 0.07, 0.25, 0.04],
        [0.30, 0.17, 0.07, 0.00, 0.05, 0.00, 0.40, 0.01],
    ]
)
OFFICE_HOURS = (8, 19)
DETAILS_PER_TYPE = 48
# Calls last three minutes in the mean, exponentially, as in the usual model of call centres (Erlang).
CALL_SECONDS = 180


def interaction_rows(
    rng: np.random.Generator, lead_id: Integers, instant: Floats, first: npt.NDArray[np.bool_]
) -> pa.RecordBatch:
    """Rows of `lead_interactions` with these leads and instants; `first` marks first contacts."""
    rows = len(lead_id)
    hour = local_hour(instant)
    office = (hour >= OFFICE_HOURS[0]) & (hour < OFFICE_HOURS[1])
    bounds = np.cumsum(TYPE_TABLE, axis=1)[np.where(first, 0, np.where(office, 1, 2))]
    kind = np.minimum((rng.random((rows, 1)) >= bounds).sum(axis=1), len(INTERACTION_TYPES) - 1)
    return pa.record_batch(
        {
            "lead_id": lead_id,
            "interaction_type": take(INTERACTION_TYPES, kind),
            "details": take(_details(), kind * DETAILS_PER_TYPE + rng.integers(0, DETAILS_PER_TYPE, rows)),
            "synthetic": flags(True, rows),
            "created_at": instants(instant),
        }
    )


def _details() -> list[str]:
    """DETAILS_PER_TYPE JSON objects for each type, in the order of INTERACTION_TYPES."""
    seconds = np.random.default_rng(180).exponential(CALL_SECONDS, DETAILS_PER_TYPE).astype(int) + 5
    campaigns = ("welcome", "weekly digest", "price change", "new listings", "open house", "market report")
    forms = ("valuation", "viewing", "question", "mortgage", "callback")
    pages = ("/search", "/listing", "/market", "/saved", "/mortgage", "/agents")
    templates = {
        "email_open": lambda n: f'{{"campaign": "{campaigns[n % 6]}", "device": "{("phone", "desktop", "tablet")[n % 3]}"}}',
        "link_click": lambda n: f'{{"campaign": "{campaigns[n % 6]}", "position": {n % 8 + 1}}}',
        "form_submit": lambda n: f'{{"form": "{forms[n % 5]}", "fields": {n % 7 + 3}}}',
        "call_answered": lambda n: f'{{"seconds": {seconds[n]}, "direction": "{("out", "in")[n % 4 == 0]}"}}',
        "email_sent": lambda n: f'{{"campaign": "{campaigns[n % 6]}"}}',
        "call_missed": lambda n: f'{{"rings": {n % 6 + 2}}}',
        "page_view": lambda n: f'{{"path": "{pages[n % 6]}", "seconds": {seconds[n] // 3 + 2}}}',
        "showing_booked": lambda n: f'{{"in_days": {n % 9 + 1}, "slot": "{9 + n % 9}:00"}}',
    }
    return [templates[kind](number) for kind in INTERACTION_TYPES for number in range(DETAILS_PER_TYPE)]
