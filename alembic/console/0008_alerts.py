"""Alerts: incidents with their stories, silences, and an operator's numbers for rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "alert_incidents",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), comment="NULL: it goes on"),
        sa.Column("document", pg.JSONB(), nullable=False, comment="the whole incident with its story"),
        sa.PrimaryKeyConstraint("key", name=op.f("alert_incidents_pkey")),
        schema="console",
    )
    op.create_index("alert_incidents_opened_at_idx", "alert_incidents", ["opened_at"], schema="console")
    op.create_table(
        "alert_silences",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", pg.JSONB(), nullable=False, comment="of which rule, who, why"),
        sa.PrimaryKeyConstraint("key", name=op.f("alert_silences_pkey")),
        schema="console",
    )
    op.create_table(
        "alert_rules",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("document", pg.JSONB(), nullable=False, comment="the numbers that differ from the shipped ones, who, why"),
        sa.PrimaryKeyConstraint("rule", name=op.f("alert_rules_pkey")),
        schema="console",
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("alert_rules", "alert_silences", "alert_incidents"):
        op.drop_table(table, schema="console")
