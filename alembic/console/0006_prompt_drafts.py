"""Runs of texts that were not saved yet: the text is kept with the run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and let a run be of no version."""
    draft = sa.Column(
        "draft", sa.Text(), server_default="", nullable=False, comment="the text that ran where it is no version, as JSON"
    )
    op.add_column("prompt_runs", draft, schema="console")
    op.alter_column("prompt_runs", "prompt_version", nullable=True, schema="console")


def downgrade() -> None:
    """Drop it, and the runs that need it."""
    op.execute("DELETE FROM console.prompt_runs WHERE draft <> ''")
    op.alter_column("prompt_runs", "prompt_version", nullable=False, schema="console")
    op.drop_column("prompt_runs", "draft", schema="console")
