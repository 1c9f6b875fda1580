"""Operations that can be held for a while, and who holds them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    pausable = sa.Column("pausable", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    paused_by = sa.Column("paused_by", sa.Text(), comment="who holds it; its process looks here")
    op.add_column("operations", pausable, schema="console")
    op.add_column("operations", paused_by, schema="console")


def downgrade() -> None:
    """Drop them."""
    op.drop_column("operations", "paused_by", schema="console")
    op.drop_column("operations", "pausable", schema="console")
