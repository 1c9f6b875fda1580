"""The open leads of one market, best score first."""

from __future__ import annotations

from core.database.indexes.notes import IndexNotes
from core.database.indexes.revision import build, drop

revision = "1001"
down_revision = None
branch_labels = ("leads_market_score_idx",)
depends_on = ("0001",)

INDEX = IndexNotes(
    revision=revision,
    name="leads_market_score_idx",
    table="leads",
    definition=(
        "USING btree (market_id, score DESC, status)"
        " WHERE (status = ANY (ARRAY['active'::text, 'hot'::text, 'nurturing'::text]))"
    ),
    serves=("lead_list",),
    why=(
        "The list of one market reads its best open leads in order and stops;"
        " a list of one status skips the others in the index, before a row is read."
        " Without last_interaction_at, or no update of that column would stay heap-only: the ties of a score are sorted."
    ),
    intents=(1, 7),
)


def upgrade() -> None:
    """Build it beside running writes."""
    build(INDEX)


def downgrade() -> None:
    """Take it back."""
    drop(INDEX)
