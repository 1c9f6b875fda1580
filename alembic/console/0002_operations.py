"""Operations: long jobs, who started them and what came of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    now = sa.text("now()")
    op.create_table(
        "operations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="import, generate, load, ..."),
        sa.Column("key", sa.Text(), nullable=False, comment="one runs at a time under a key"),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("parameters", pg.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("commands", pg.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("resumable", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("what", sa.Text(), server_default="", nullable=False, comment="what is counted now"),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total", sa.BigInteger(), server_default="0", nullable=False, comment="0: unknown"),
        sa.Column("rate_per_second", sa.Double(), comment="over the last seconds"),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False, comment="last word of its process"
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("cancelled_by", sa.Text(), comment="who asked for its end; its process looks here"),
        sa.Column("result", pg.JSONB()),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("next_step", sa.Text(), server_default="", nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('running', 'done', 'failed', 'cancelled', 'interrupted')", name=op.f("operations_state_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("operations_pkey")),
        schema="console",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "operations_running_key_key",
        "operations",
        ["key"],
        unique=True,
        schema="console",
        postgresql_where=sa.text("state = 'running'"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("operations", schema="console")
