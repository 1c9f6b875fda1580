"""Prompt inputs: the values that a prompt is tried on: of a lead, a set of leads, a listing or a market.

Owns which of them fit a prompt's variables. A lead gives its canonical words and nothing else, as in production.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from core.claude.prompts import PromptVersion
from core.database.pool import Database
from core.errors import UsageError
from core.platform.canonical import LABELS, CanonicalLead
from core.platform.descriptions import Descriptions
from core.platform.leads import ID_MOST_CHARACTERS, OPEN_STATUSES
from core.platform.preparing import facts_of
from core.platform.prompt_values import LISTING_VARIABLES, listing_variables, market_variables
from core.platform.subjects import Subjects

Kind = Literal["lead", "listing", "market", "hand"]
GIVES: Mapping[Kind, frozenset[str]] = {
    "lead": frozenset(("lead", *LABELS)),
    "listing": frozenset(LISTING_VARIABLES),
    "market": frozenset(("market", "figures")),
}
SET_MOST = 100  # Two versions of each are the 200 runs that one look at the history shows.
LOOKED_AT = 5_000  # Of the best leads: enough to find a hundred forms, and one query of some milliseconds.


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptInput:
    """Values by the names of variables; `alike` counts further leads of a set that have the same."""

    values: Mapping[str, str]
    title: str
    lead_id: str | None = None
    alike: int = 0

    def of(self, prompt: PromptVersion) -> Mapping[str, str]:
        """Those values that a prompt has variables for."""
        return {name: self.values[name] for name in prompt.variables if name in self.values}

    def with_values(self, values: Mapping[str, str]) -> PromptInput:
        """The same input with values written by hand beside its own."""
        return replace(self, values={**values, **self.values})


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSet:
    """Inputs of distinct canonical forms, of so many leads; `missing` are ids that no lead has."""

    inputs: tuple[PromptInput, ...]
    leads: int
    missing: tuple[str, ...] = ()


def kind_of(variables: Sequence[str]) -> Kind:
    """What gives the most of these variables; by hand where nothing gives any."""
    best = max(GIVES, key=lambda kind: len(GIVES[kind].intersection(variables)))
    return best if GIVES[best].intersection(variables) else "hand"


class PromptInputs:
    """Finds inputs."""

    def __init__(self, database: Database, subjects: Subjects, descriptions: Descriptions) -> None:
        self._database = database
        self._subjects = subjects
        self._descriptions = descriptions

    async def lead(self, lead_id: str) -> PromptInput:
        """A lead's canonical words; raises UsageError where there is no such lead."""
        subject = None
        if 0 < len(lead_id) <= ID_MOST_CHARACTERS and lead_id.isprintable():
            subject = await self._subjects.stored(lead_id)
        if subject is None:
            raise UsageError(f"There is no lead with the id {lead_id[:60]!r}.", "Look for one on the Leads page.")
        return _of_form(CanonicalLead.of(subject.facts), lead_id)

    async def listing(self, property_id: str) -> PromptInput:
        """What is known of a listing; raises UsageError where there is none."""
        found = await self._descriptions.listing(property_id) if len(property_id) <= ID_MOST_CHARACTERS else None
        if found is None:
            raise UsageError(f"There is no listing with the id {property_id[:60]!r}.", "Give the id of a listing.")
        return PromptInput(values=listing_variables(found), title=f"listing {property_id}")

    async def market(self, slug: str) -> PromptInput:
        """A market's figures; raises UsageError where there is no such market."""
        found = await self._subjects.market(slug)
        if found is None:
            raise UsageError(f"There is no market {slug[:60]!r}.", "Choose one of the list.")
        return PromptInput(values=market_variables(found), title=f"market {found.name}")

    async def best(self, market: str | None, count: int) -> InputSet:
        """The best open leads of a market, one of each canonical form, until there are so many forms."""
        filters = {"market": market} if market is not None else {}
        rows = await self._database.fetch_all("leads_to_prepare", list(OPEN_STATUSES), LOOKED_AT, filters=filters)
        now = datetime.now(UTC)
        return _distinct([(CanonicalLead.of(facts_of(row, now)), str(row["id"])) for row in rows], min(count, SET_MOST))

    async def leads(self, lead_ids: Sequence[str]) -> InputSet:
        """These leads, one of each canonical form; ids that no lead has are told."""
        found, missing = [], []
        for lead_id in dict.fromkeys(lead_ids):
            subject = await self._subjects.stored(lead_id) if len(lead_id) <= ID_MOST_CHARACTERS else None
            if subject is None:
                missing.append(lead_id)
            else:
                found.append((CanonicalLead.of(subject.facts), lead_id))
        return replace(_distinct(found, SET_MOST), missing=tuple(missing))


def _of_form(form: CanonicalLead, lead_id: str) -> PromptInput:
    return PromptInput(values=form.variables(), title=f"lead {lead_id}", lead_id=lead_id)


def _distinct(leads: Sequence[tuple[CanonicalLead, str]], most: int) -> InputSet:
    """One input for each of the first forms; leads of other forms are not counted."""
    inputs: dict[tuple[str, ...], PromptInput] = {}
    for form, lead_id in leads:
        key = tuple(asdict(form).values())
        if key in inputs:
            inputs[key] = replace(inputs[key], alike=inputs[key].alike + 1)
        elif len(inputs) < most:
            inputs[key] = _of_form(form, lead_id)
    return InputSet(inputs=tuple(inputs.values()), leads=sum(1 + one.alike for one in inputs.values()))
