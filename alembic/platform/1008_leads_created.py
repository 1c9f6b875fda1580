"""The leads by the time that they were made."""

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
    definition="USING btree (created_at)",
    serves=("recent_counts", "newest_rows"),
    why=(
        "The count of 30 days reads the entries of 30 days and no row of the table, and the newest lead is the last entry."
        " No predicate, for now() is refused."
    ),
    intents=(9,),
)


def upgrade() -> None:
    """Build it beside running writes."""
    build(INDEX)


def downgrade() -> None:
    """Take it back."""
    drop(INDEX)
