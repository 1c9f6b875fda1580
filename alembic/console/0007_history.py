"""History: what every process measured, in slots of ten seconds, a minute and an hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

GRAINS_SECONDS = (10, 60, 3_600)


def upgrade() -> None:
    """Make the tables; partitions by time are made and dropped by the console, as time goes on."""
    op.create_table(
        "metric_processes",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False, comment="drawn by the process itself"),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False, comment="console, serve"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_second", sa.BigInteger(), nullable=False, comment="of its newest row; seconds since 1970"),
        sa.PrimaryKeyConstraint("id", name=op.f("metric_processes_pkey")),
        schema="console",
    )
    op.create_table(
        "metric_slots",
        sa.Column("grain_seconds", sa.SmallInteger(), nullable=False, comment="10, 60, 3600: how long the slot lasted"),
        sa.Column("second", sa.BigInteger(), nullable=False, comment="in which it began; seconds since 1970"),
        sa.Column("process", sa.BigInteger(), nullable=False),
        sa.Column("shift_seconds", sa.Integer(), nullable=False, comment="how far the clock was set since the process started"),
        sa.Column("parts", sa.SmallInteger(), nullable=False, comment="slots of the finer grain that are in it"),
        sa.Column("totals", pg.BYTEA(), nullable=False, comment="each metric over all labels; core/monitor/history/codec.py"),
        sa.Column("labelled", pg.BYTEA(), nullable=True, comment="each metric by its labels; NULL in the slots of ten seconds"),
        sa.PrimaryKeyConstraint("grain_seconds", "second", "process", "shift_seconds", name=op.f("metric_slots_pkey")),
        schema="console",
        postgresql_partition_by="LIST (grain_seconds)",
    )
    # The blobs are packed already: PostgreSQL need not try again.
    for column in ("totals", "labelled"):
        op.execute(f"ALTER TABLE console.metric_slots ALTER COLUMN {column} SET STORAGE EXTERNAL")
    for seconds in GRAINS_SECONDS:
        op.execute(
            f"CREATE TABLE console.metric_slots_{seconds} PARTITION OF console.metric_slots"
            f" FOR VALUES IN ({seconds}) PARTITION BY RANGE (second)"
        )


def downgrade() -> None:
    """Drop them, every partition with them."""
    op.drop_table("metric_slots", schema="console")
    op.drop_table("metric_processes", schema="console")
