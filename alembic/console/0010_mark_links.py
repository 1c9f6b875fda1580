"""Marks: where a mark leads to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "marks",
        sa.Column(
            "link", sa.Text(), server_default="", nullable=False, comment="an address of the web or a path of the console"
        ),
        schema="console",
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_column("marks", "link", schema="console")
