"""Invented people: names put together from lists written for this, addresses and numbers that are reserved for examples."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.sample.files import Floats, Integers
from core.sample.places import MARKETS
from core.sample.texts import join, numbers, pick, take

FIRST_NAMES = (
    "Arlo", "Bexley", "Cassia", "Dario", "Elowen", "Finch", "Greer", "Hollis", "Indra", "Juno", "Kit", "Lark", "Marlo", "Nova",
    "Orin", "Pax", "Quill", "Remy", "Sable", "Tamsin", "Umber", "Vale", "Wren", "Xanthe", "Yarrow", "Zeph", "Alder", "Briar",
    "Cove", "Dune", "Ember", "Fable", "Gale", "Haven", "Isle", "Jory", "Koa", "Linden", "Moss", "Nell",
)  # fmt: skip
SURNAME_STARTS = (
    "Bram", "Carro", "Dunva", "Elder", "Fenni", "Gorse", "Hallo", "Ister", "Jorro", "Keld", "Lumba", "Mirro", "Nather", "Ostri",
    "Pellu", "Quenn", "Rasko", "Silda", "Torva", "Ulmer", "Vesta", "Wexo", "Yorra", "Zinda",
)  # fmt: skip
SURNAME_ENDS = ("brook", "dell", "fen", "gate", "hurst", "low", "mark", "nack", "quist", "stow", "thorn", "wick")
# Names for documentation (RFC 2606): no mail reaches anybody.
MAIL_DOMAINS = ("example.com", "example.org", "example.net", "mail.invalid")
# 555-0100 to 555-0199 are set aside for fiction by the North American Numbering Plan.
FICTION_NUMBERS = (100, 200)

AGENTS = 40
# Agents get leads in proportion to 1 / rank ** 0.6: the busiest about nine times as many as the last.
AGENT_SKEW = 0.6
UNASSIGNED = 0.05


def names_and_mails(rng: np.random.Generator, lead_id: Integers) -> tuple[pa.Array, pa.Array]:
    """Display names, and mail addresses that hold the lead's id and are therefore unique."""
    rows = len(lead_id)
    first = pick(rng, FIRST_NAMES, rows)
    last = join(pick(rng, SURNAME_STARTS, rows), pick(rng, SURNAME_ENDS, rows))
    mail = join(pc.utf8_lower(join(first, ".", last)), ".", numbers(lead_id), "@", pick(rng, MAIL_DOMAINS, rows))
    return join(first, " ", last), mail


def phones(rng: np.random.Generator, market: Integers) -> pa.Array:
    """Telephone numbers of the market's area that are reserved for fiction; one lead in six gave none."""
    line = rng.integers(*FICTION_NUMBERS, len(market))
    given = rng.random(len(market)) > 1 / 6
    whole = join(take([f"+1 {one.area_code} 555 0" for one in MARKETS], market), numbers(line))
    return pc.if_else(pa.array(given), whole, pa.scalar(None, pa.string()))


def agent_weights() -> Floats:
    """How many leads each of `agents()` has, in any unit; the last entry stands for leads without an agent."""
    weights = np.arange(1, AGENTS + 1, dtype=np.float64) ** -AGENT_SKEW
    return np.append(weights / weights.sum() * (1 - UNASSIGNED), UNASSIGNED)


def agents() -> list[str | None]:
    """'agent-01' to 'agent-40', and None."""
    return [*(f"agent-{number:02d}" for number in range(1, AGENTS + 1)), None]
