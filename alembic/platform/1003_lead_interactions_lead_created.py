"""The interactions of one lead in order of time."""

from __future__ import annotations

from core.database.indexes.notes import IndexNotes
from core.database.indexes.revision import build, drop

revision = "1003"
down_revision = None
branch_labels = ("lead_interactions_lead_created_idx",)
depends_on = ("0001",)

INDEX = IndexNotes(
    revision=revision,
    name="lead_interactions_lead_created_idx",
    table="lead_interactions",
    definition="USING btree (lead_id, created_at) INCLUDE (interaction_type)",
    serves=("lead_list", "lead_interactions"),
    why=(
        "The counts of 30 days and the newest interactions of a lead read that lead's rows alone."
        " No predicate: one with now() is refused, and one with a date would have to be built anew each day."
    ),
    intents=(3, 10),
)


def upgrade() -> None:
    """Build it beside running writes."""
    build(INDEX)


def downgrade() -> None:
    """Take it back."""
    drop(INDEX)
