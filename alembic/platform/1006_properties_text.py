"""The words of the active listings."""

from __future__ import annotations

from core.database.indexes.notes import IndexNotes
from core.database.indexes.revision import build, drop

revision = "1006"
down_revision = None
branch_labels = ("properties_text_idx",)
depends_on = ("0001",)

INDEX = IndexNotes(
    revision=revision,
    name="properties_text_idx",
    table="properties",
    definition=(
        "USING gin (to_tsvector('english'::regconfig, "
        "((((COALESCE(description, ''::text) || ' '::text) || COALESCE(address, ''::text)) "
        "|| ' '::text) || COALESCE(neighborhood, ''::text)))) "
        "WHERE (status = 'active'::text)"
    ),
    serves=("property_search",),
    why=(
        "The search for words reads the listings that have them, instead of parsing every description."
        " The expression is that of the query, word for word."
    ),
    intents=(12,),
)


def upgrade() -> None:
    """Build it beside running writes."""
    build(INDEX)


def downgrade() -> None:
    """Take it back."""
    drop(INDEX)
