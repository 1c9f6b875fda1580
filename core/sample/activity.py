"""Who is contacted when: the interactions of a period as (lead, instant), in order of time and without keeping them.

Owns the rule that 8 % of leads are never contacted and every other one at least once. Leads are numbered from 0 in order of
arrival. Slices of the period are drawn one by one, each from its own seed, so any of them can be drawn again; what is kept is
12 bytes a lead.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from core.sample.calendars import Calendar, engagement
from core.sample.distributions import Shuffle, scattered, skewed_ranks
from core.sample.files import Floats, Integers

NEVER_CONTACTED = 0.08
SLICE_ROWS = 16_384
# Half of the first contacts come within the first hours, the rest trails off: mean of the exponential delay.
FIRST_CONTACT_SECONDS = 9 * 3600
# Each round redraws the choices that fell on leads who had not arrived; after these a choice becomes any contacted lead.
SKEWED_ROUNDS, EVEN_ROUNDS = 6, 8
STREAM = 1


class Activity:
    """The interactions between `leads` that arrive by `calendar`: exactly `interactions` of them."""

    def __init__(self, leads: int, interactions: int, calendar: Calendar, seed: int) -> None:
        self._leads, self._seed, self._calendar = leads, seed, calendar
        self._engagement = engagement(calendar)
        self.contacted = min(leads - round(leads * NEVER_CONTACTED), interactions)
        self._never = leads - self.contacted
        self._extra = interactions - self.contacted
        # Ranks below `_never` are never contacted; from there on, the lower the rank the busier the lead.
        self._order = Shuffle(leads, offset=round(float(scattered(np.zeros(1, np.int64), seed)[0]) * leads)) if leads else None
        self._slices = max(1, -(-interactions // SLICE_ROWS)) if interactions else 0

    def arrived(self, first: int, last: int) -> Floats:
        """Instants at which the leads first..last-1 arrived, increasing."""
        index = np.arange(first, last, dtype=np.int64)
        return self._calendar.instants((index + scattered(index, self._seed)) / max(self._leads, 1))

    def summary(self) -> tuple[Floats, npt.NDArray[np.int32]]:
        """For each lead the instant of the last interaction (NaN: never contacted) and the number of interactions."""
        last = np.full(self._leads, -np.inf)
        count = np.zeros(self._leads, np.int32)
        for lead, instant, _ in self.slices():
            np.maximum.at(last, lead, instant)
            np.add.at(count, lead, 1)
        return np.where(np.isinf(last), np.nan, last), count

    def slices(self) -> Iterator[tuple[Integers, Floats, npt.NDArray[np.bool_]]]:
        """For each slice of time: leads, instants (increasing) and whether it is the first contact."""
        for number in range(self._slices):
            yield self._slice(number)

    def _slice(self, number: int) -> tuple[Integers, Floats, npt.NDArray[np.bool_]]:
        rng = np.random.default_rng([self._seed, STREAM, number])
        edges = np.array([number, number + 1]) / self._slices
        first_lead, first_instant = self._first_contacts(edges, rng)
        count = self._extra * (number + 1) // self._slices - self._extra * number // self._slices
        instant = self._engagement.instants(edges[0] + rng.random(count) / self._slices)
        lead = self._choose(instant, rng)
        instant = np.maximum(instant, self._arrival(lead))
        lead, instant = np.concatenate([first_lead, lead]), np.concatenate([first_instant, instant])
        first = np.arange(len(lead)) < len(first_lead)
        order = np.argsort(instant, kind="stable")
        lead, instant, first = lead[order], instant[order], first[order]
        if number == self._slices - 1:
            # The newest interaction marks how far the data runs.
            instant[-1:] = self._calendar.edges[-1]
        return lead, instant, first

    def _first_contacts(self, edges: Floats, rng: np.random.Generator) -> tuple[Integers, Floats]:
        """The first contact of each lead that arrived in this slice of time."""
        bounds = np.floor(self._calendar.passed(self._engagement.instants(edges)) * self._leads).astype(np.int64)
        lead = np.arange(bounds[0], self._leads if edges[1] == 1 else bounds[1], dtype=np.int64)
        lead = lead[self._is_contacted(lead)]
        instant = self._arrival(lead) + rng.exponential(FIRST_CONTACT_SECONDS, len(lead))
        # Beyond the end there is no time left: the contact falls between the arrival and the end.
        room = self._calendar.edges[-1] - self._arrival(lead)
        late = instant > self._calendar.edges[-1]
        return lead, np.where(late, self._arrival(lead) + room * rng.random(len(lead)), instant)

    def _choose(self, instant: Floats, rng: np.random.Generator) -> Integers:
        """A contacted lead that has arrived, for each instant; the busy ones more often."""
        present = np.floor(self._calendar.passed(instant) * self._leads).astype(np.int64)
        chosen = np.full(len(instant), self._any_contacted(), np.int64)
        open_ = np.arange(len(instant))
        for round_number in range(SKEWED_ROUNDS + EVEN_ROUNDS):
            uniform = rng.random(len(open_))
            if round_number < SKEWED_ROUNDS:
                lead = self._ranked(skewed_ranks(uniform, max(self.contacted, 1)))
                fits = lead < present[open_]
            else:
                lead = (uniform * present[open_]).astype(np.int64)
                fits = (present[open_] > 0) & self._is_contacted(lead)
            chosen[open_[fits]] = lead[fits]
            open_ = open_[~fits]
        return chosen

    def _ranked(self, rank: Integers) -> Integers:
        assert self._order is not None
        return self._order.index(rank + self._never)

    def _is_contacted(self, lead: Integers) -> npt.NDArray[np.bool_]:
        assert self._order is not None
        return self._order.rank(lead) >= self._never

    def _any_contacted(self) -> int:
        """The contacted lead that arrived first, or nearly so."""
        early = np.arange(min(self._leads, 1000), dtype=np.int64)
        contacted = early[self._is_contacted(early)]
        return int(contacted[0]) if len(contacted) else int(self._ranked(np.zeros(1, np.int64))[0])

    def _arrival(self, lead: Integers) -> Floats:
        return self._calendar.instants((lead + scattered(lead, self._seed)) / max(self._leads, 1))
