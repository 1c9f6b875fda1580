"""The active listings of all markets, dearest first."""

from __future__ import annotations

from core.database.indexes.notes import IndexNotes
from core.database.indexes.revision import build, drop

revision = "1005"
down_revision = None
branch_labels = ("properties_price_idx",)
depends_on = ("0001",)

INDEX = IndexNotes(
    revision=revision,
    name="properties_price_idx",
    table="properties",
    definition=("USING btree (price DESC, property_type, bedrooms) WHERE (status = 'active'::text)"),
    serves=("property_search",),
    why=(
        "The search over all markets reads the listings in order of price and stops."
        " For every price, not only from 500,000 dollars: the searches below that are the more frequent ones."
    ),
    intents=(8,),
)


def upgrade() -> None:
    """Build it beside running writes."""
    build(INDEX)


def downgrade() -> None:
    """Take it back."""
    drop(INDEX)
