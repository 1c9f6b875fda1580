"""Marks on the timeline: a deploy, a change, a note."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "marks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="deploy, change, note"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("marked_by", sa.Text(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("marks_pkey")),
        schema="console",
    )
    op.create_index("marks_marked_at_idx", "marks", ["marked_at"], schema="console")


def downgrade() -> None:
    """Drop it."""
    op.drop_table("marks", schema="console")
