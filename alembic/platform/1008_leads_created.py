"""The new leads by time, with what a summary counts."""

from __future__ import annotations

from core.database.indexes.notes import IndexNotes
from core.database.indexes.revision import build, drop

revision = "1008"
down_revision = None
branch_labels = ("leads_created_idx",)
depends_on = ("0001",)

INDEX = IndexNotes(
    revision=revision,
    name="leads_created_idx",
    table="leads",
    definition="USING btree (created_at DESC) INCLUDE (market_id, status, score)",
    serves=("lead_summary", "recent_counts"),
    why=("The summary of 30 days reads the entries of 30 days and no row of the table. No predicate, for now() is refused."),
    intents=(9,),
)


def upgrade() -> None:
    """Build it beside running writes."""
    build(INDEX)


def downgrade() -> None:
    """Take it back."""
    drop(INDEX)
