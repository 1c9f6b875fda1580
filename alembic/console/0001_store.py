"""The console's own store: its starts and the first steps taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of the store."""
    op.create_table(
        "milestones",
        sa.Column("name", sa.Text(), nullable=False, comment="what happened for the first time"),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("milestones_pkey")),
        schema="console",
    )
    op.create_table(
        "starts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("starts_pkey")),
        schema="console",
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("starts", schema="console")
    op.drop_table("milestones", schema="console")
