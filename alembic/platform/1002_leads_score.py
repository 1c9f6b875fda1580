"""The open leads of all markets, best score first."""

from __future__ import annotations

from core.database.indexes.notes import IndexNotes
from core.database.indexes.revision import build, drop

revision = "1002"
down_revision = None
branch_labels = ("leads_score_idx",)
depends_on = ("0001",)

INDEX = IndexNotes(
    revision=revision,
    name="leads_score_idx",
    table="leads",
    definition=(
        "USING btree (score DESC, status) WHERE (status = ANY (ARRAY['active'::text, 'hot'::text, 'nurturing'::text]))"
    ),
    serves=("lead_list",),
    why=(
        "The list over all markets reads the best open leads in order and stops;"
        " a list of one status, such as the hot ones, skips the others in the index, before a row is read."
        " The index of one market begins with the market and cannot give this order."
    ),
    intents=(1, 7),
)


def upgrade() -> None:
    """Build it beside running writes."""
    build(INDEX)


def downgrade() -> None:
    """Take it back."""
    drop(INDEX)
