"""HistorySchema: the tables of the console's store in which core.monitor keeps what was measured.

Owns their columns. The partitions are no part of it: `core.monitor.history.partitions` makes and drops them as time goes on.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg


def add_history_tables(console: sa.MetaData) -> None:
    """Put the tables into the console's MetaData."""
    sa.Table(
        "metric_processes", console,
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False, comment="drawn by the process itself"),
        sa.Column("host", sa.Text, nullable=False), sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("role", sa.Text, nullable=False, comment="console, serve"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_second", sa.BigInteger, nullable=False, comment="of its newest row; seconds since 1970"),
    )  # fmt: skip
    sa.Table(
        "metric_slots", console,
        sa.Column("grain_seconds", sa.SmallInteger, primary_key=True, comment="10, 60, 3600: how long the slot lasted"),
        sa.Column("second", sa.BigInteger, primary_key=True, comment="in which it began; seconds since 1970"),
        sa.Column("process", sa.BigInteger, primary_key=True),
        sa.Column("shift_seconds", sa.Integer, primary_key=True, comment="how far the clock was set since the process started"),
        sa.Column("parts", sa.SmallInteger, nullable=False, comment="slots of the finer grain that are in it"),
        sa.Column("totals", pg.BYTEA, nullable=False, comment="each metric over all labels; core/monitor/history/codec.py"),
        sa.Column("labelled", pg.BYTEA, comment="each metric by its labels; NULL in the slots of ten seconds"),
        postgresql_partition_by="LIST (grain_seconds)",
    )  # fmt: skip
