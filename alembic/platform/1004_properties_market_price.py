"""The active listings of one market, dearest first."""

from __future__ import annotations

from core.database.indexes.notes import IndexNotes
from core.database.indexes.revision import build, drop

revision = "1004"
down_revision = None
branch_labels = ("properties_market_price_idx",)
depends_on = ("0001",)

INDEX = IndexNotes(
    revision=revision,
    name="properties_market_price_idx",
    table="properties",
    definition=("USING btree (market_id, price DESC, property_type, bedrooms) WHERE (status = 'active'::text)"),
    serves=("property_search",),
    why=(
        "The search in one market reads its listings in order of price and stops."
        " Type and bedrooms are tested in the index, before a row is read."
    ),
    intents=(2, 11),
)


def upgrade() -> None:
    """Build it beside running writes."""
    build(INDEX)


def downgrade() -> None:
    """Take it back."""
    drop(INDEX)
