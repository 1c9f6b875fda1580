"""Remedies: which of them run by themselves, by an operator's word."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "remedies",
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("document", pg.JSONB(), nullable=False, comment="whether it runs by itself, who said so, why"),
        sa.PrimaryKeyConstraint("remedy", name=op.f("remedies_pkey")),
        schema="console",
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("remedies", schema="console")
