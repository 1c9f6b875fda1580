"""The answers to one prompt, newest first."""

from __future__ import annotations

from core.database.indexes.notes import IndexNotes
from core.database.indexes.revision import build, drop

revision = "1007"
down_revision = None
branch_labels = ("ai_responses_prompt_idx",)
depends_on = ("0001",)

INDEX = IndexNotes(
    revision=revision,
    name="ai_responses_prompt_idx",
    table="ai_responses",
    definition="USING btree (prompt_hash, created_at DESC)",
    serves=("ai_answers",),
    why=(
        "The newest stored answers to a prompt are read by its hash."
        " No predicate, for now() is refused; and no model version, for which the query does not ask."
    ),
    intents=(5,),
)


def upgrade() -> None:
    """Build it beside running writes."""
    build(INDEX)


def downgrade() -> None:
    """Take it back."""
    drop(INDEX)
