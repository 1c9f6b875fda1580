"""AlertSchema: the tables of the console's store that alerts keep: incidents, silences, changed rules, switched remedies.

Owns their columns, as `core.database.schema` does those of the rest, of which this is a part.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg


def add_alert_tables(console: sa.MetaData) -> None:
    """Put the tables into the console's MetaData."""
    sa.Table(
        "alert_incidents", console,
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), comment="NULL: it goes on"),
        sa.Column("document", pg.JSONB, nullable=False, comment="the whole incident with its story"),
        sa.Index("alert_incidents_opened_at_idx", "opened_at"),
    )  # fmt: skip
    sa.Table(
        "alert_silences", console,
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", pg.JSONB, nullable=False, comment="of which rule, who, why"),
    )  # fmt: skip
    sa.Table(
        "alert_rules", console,
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("document", pg.JSONB, nullable=False, comment="the numbers that differ from the shipped ones, who, why"),
    )  # fmt: skip
    sa.Table(
        "remedies", console,
        sa.Column("remedy", sa.Text, primary_key=True),
        sa.Column("document", pg.JSONB, nullable=False, comment="whether it runs by itself, who said so, why"),
    )  # fmt: skip
