"""The schema: SQLAlchemy MetaData of the platform's tables and of the console's own store, and the map of nouns.

Owns what both Alembic histories and the adoption of an existing schema compare with. Refuses to hold performance indexes:
each of those is a migration branch of its own, because an operator builds or drops it alone on a live table.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from core.database.alert_schema import add_alert_tables
from core.database.claude_schema import add_claude_tables
from core.database.history_schema import add_history_tables

NAMING = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}

LEAD_STATUSES = ("new", "active", "nurturing", "hot", "qualified", "won", "lost", "unsubscribed")
INTERACTION_TYPES = (
    "email_open", "link_click", "form_submit", "call_answered",
    "email_sent", "call_missed", "page_view", "showing_booked",
)  # fmt: skip
PROPERTY_TYPES = ("single_family", "condo", "townhouse", "multi_family", "apartment", "land", "other")
PROPERTY_STATUSES = ("active", "pending", "sold", "withdrawn")
MARKET_DATA_TYPES = ("sales", "volume", "median_price", "listings", "inventory_months")
AI_SOURCES = ("claude", "rehearsal")
OPERATION_STATES = ("running", "done", "failed", "cancelled", "interrupted")

platform = sa.MetaData(naming_convention=NAMING)
console = sa.MetaData(schema="console", naming_convention=NAMING)


def _one_of(column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in values)})", name=column)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=False), primary_key=True)


def _market() -> sa.Column[str]:
    return sa.Column("market_id", sa.Text, sa.ForeignKey("markets.id"), nullable=False)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _synthetic() -> sa.Column[bool]:
    return sa.Column(
        "synthetic", sa.Boolean, nullable=False, server_default=sa.false(), comment="made by the generator, not observed"
    )


def _json(name: str, empty: str) -> sa.Column[object]:
    return sa.Column(name, pg.JSONB, nullable=False, server_default=sa.text(f"'{empty}'::jsonb"))


markets = sa.Table(
    "markets", platform,
    sa.Column("id", sa.Text, primary_key=True, comment="slug: austin, dallas, houston, san_antonio, toledo"),
    sa.Column("market_name", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="two letters"),
    sa.Column("avg_price", sa.Numeric(12, 2), comment="US dollars, of the period that data_to ends"),
    sa.Column("data_from", sa.Date, comment="first month of market_data"),
    sa.Column("data_to", sa.Date, comment="last month of market_data"),
    sa.Column("source", sa.Text, comment="where the figures come from"),
    sa.Column("note", sa.Text, comment="what a reader must know of the figures"),
    _synthetic(), _now("updated_at"),
    sa.CheckConstraint("id ~ '^[a-z][a-z0-9_]*$'", name="id"),
    sa.CheckConstraint("avg_price > 0", name="avg_price"),
)  # fmt: skip

market_data = sa.Table(
    "market_data", platform,
    _id(), _market(),
    sa.Column("data_type", sa.Text, nullable=False),
    sa.Column("date_recorded", sa.Date, nullable=False, comment="first day of the month that the value is of"),
    sa.Column(
        "value", sa.Double, nullable=False, comment="sales, listings: count; volume, median_price: dollars; inventory: months"
    ),
    sa.Column("source", sa.Text),
    _synthetic(),
    _one_of("data_type", MARKET_DATA_TYPES),
    sa.CheckConstraint("value >= 0", name="value"),
    sa.UniqueConstraint("market_id", "data_type", "date_recorded"),
)  # fmt: skip

leads = sa.Table(
    "leads", platform,
    _id(), _market(),
    sa.Column("external_id", sa.Text, comment="the id in the system that the lead was imported from"),
    sa.Column("name", sa.Text), sa.Column("email", sa.Text), sa.Column("phone", sa.Text),
    sa.Column("status", sa.Text, nullable=False, server_default="new"),
    sa.Column("score", sa.SmallInteger, nullable=False, server_default="0", comment="0..100"),
    sa.Column("budget_range", sa.Text, comment="'300k-400k', '1m+': thousands or millions of US dollars"),
    sa.Column("property_type", sa.Text, comment="the type that the lead looks for"),
    _json("property_preferences", "{}"),
    _json("search_history", "[]"),
    sa.Column("notes", sa.Text),
    sa.Column("source", sa.Text, comment="web, referral, portal, open_house, import"),
    sa.Column("assigned_agent_id", sa.Text, comment="'agent-07'"),
    sa.Column("last_interaction_at", sa.DateTime(timezone=True), comment="NULL: never contacted"),
    _synthetic(), _now("created_at"), _now("updated_at"),
    _one_of("status", LEAD_STATUSES), _one_of("property_type", PROPERTY_TYPES),
    sa.CheckConstraint("score BETWEEN 0 AND 100", name="score"),
    sa.UniqueConstraint("market_id", "external_id"),
    # Room on each page keeps updates of score and last_interaction_at heap-only (HOT).
    postgresql_with={"fillfactor": "85"},
)  # fmt: skip

lead_interactions = sa.Table(
    "lead_interactions", platform,
    _id(),
    sa.Column("lead_id", sa.BigInteger, sa.ForeignKey("leads.id", ondelete="CASCADE"), nullable=False),
    sa.Column("external_id", sa.Text, unique=True),
    sa.Column("interaction_type", sa.Text, nullable=False),
    _json("details", "{}"),
    _synthetic(), _now("created_at"),
    _one_of("interaction_type", INTERACTION_TYPES),
)  # fmt: skip

properties = sa.Table(
    "properties", platform,
    _id(), _market(),
    sa.Column("external_id", sa.Text, comment="the id in the system that the listing was imported from"),
    sa.Column("address", sa.Text), sa.Column("neighborhood", sa.Text), sa.Column("description", sa.Text),
    sa.Column("image_urls", pg.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
    sa.Column("property_type", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False, server_default="active"),
    sa.Column("price", sa.Numeric(12, 2), nullable=False, comment="US dollars of listing_date"),
    sa.Column("bedrooms", sa.SmallInteger), sa.Column("bathrooms", sa.Numeric(4, 2)),
    sa.Column("square_feet", sa.Integer, comment="living area"),
    sa.Column("lot_square_feet", sa.Integer), sa.Column("year_built", sa.SmallInteger),
    sa.Column("latitude", sa.Double), sa.Column("longitude", sa.Double),
    sa.Column("listing_date", sa.Date, nullable=False),
    _synthetic(), _now("created_at"), _now("updated_at"),
    _one_of("property_type", PROPERTY_TYPES), _one_of("status", PROPERTY_STATUSES),
    sa.CheckConstraint("price > 0", name="price"), sa.CheckConstraint("bedrooms >= 0", name="bedrooms"),
    sa.CheckConstraint("bathrooms >= 0", name="bathrooms"), sa.CheckConstraint("square_feet > 0", name="square_feet"),
    sa.UniqueConstraint("market_id", "external_id"),
)  # fmt: skip

ai_responses = sa.Table(
    "ai_responses", platform,
    _id(),
    sa.Column("prompt_hash", sa.Text, nullable=False, comment="SHA-256 of the canonical prompt, hexadecimal"),
    sa.Column("prompt_name", sa.Text, nullable=False), sa.Column("model_version", sa.Text, nullable=False),
    sa.Column("response", pg.JSONB, nullable=False),
    sa.Column("input_tokens", sa.Integer, nullable=False), sa.Column("output_tokens", sa.Integer, nullable=False),
    sa.Column("cost_usd", sa.Numeric(12, 6)), sa.Column("duration_seconds", sa.Double),
    sa.Column("source", sa.Text, nullable=False),
    _synthetic(), _now("created_at"),
    _one_of("source", AI_SOURCES),
)  # fmt: skip

analytics_events = sa.Table(
    "analytics_events", platform,
    _id(),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("market_id", sa.Text, sa.ForeignKey("markets.id")),
    sa.Column("user_id", sa.Text), _json("properties", "{}"),
    _synthetic(), _now("created_at"),
)  # fmt: skip

starts = sa.Table(
    "starts", console,
    _id(),
    sa.Column("version", sa.Text, nullable=False), sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False), sa.Column("environment", sa.Text, nullable=False),
    _now("started_at"),
)  # fmt: skip

marks = sa.Table(
    "marks", console,
    _id(),
    sa.Column("kind", sa.Text, nullable=False, comment="deploy, change, note"),
    sa.Column("text", sa.Text, nullable=False), sa.Column("marked_by", sa.Text, nullable=False),
    _now("marked_at"),
    sa.Column("link", sa.Text, nullable=False, server_default="", comment="an address of the web or a path of the console"),
    sa.Index("marks_marked_at_idx", "marked_at"),
)  # fmt: skip

operations = sa.Table(
    "operations", console,
    _id(),
    sa.Column("kind", sa.Text, nullable=False, comment="import, generate, load, ..."),
    sa.Column("key", sa.Text, nullable=False, comment="one runs at a time under a key"),
    sa.Column("title", sa.Text, nullable=False), sa.Column("operator", sa.Text, nullable=False),
    _json("parameters", "{}"),
    sa.Column("commands", pg.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
    sa.Column("resumable", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("state", sa.Text, nullable=False, server_default="running"),
    sa.Column("what", sa.Text, nullable=False, server_default="", comment="what is counted now"),
    sa.Column("done", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("total", sa.BigInteger, nullable=False, server_default="0", comment="0: unknown"),
    sa.Column("rate_per_second", sa.Double, comment="over the last seconds"),
    _now("started_at"),
    sa.Column(
        "updated_at",
        sa.DateTime(timezone=True),
        nullable=False,
        server_default=sa.func.now(),
        comment="last word of its process",
    ),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
    sa.Column("cancelled_by", sa.Text, comment="who asked for its end; its process looks here"),
    sa.Column("result", pg.JSONB),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("next_step", sa.Text, nullable=False, server_default=""),
    sa.Column("host", sa.Text, nullable=False), sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("pausable", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("paused_by", sa.Text, comment="who holds it; its process looks here"),
    _one_of("state", OPERATION_STATES),
    sa.Index("operations_running_key_key", "key", unique=True, postgresql_where=sa.text("state = 'running'")),
    # A running row is written twice a second: room on its page keeps that heap-only (HOT).
    postgresql_with={"fillfactor": "70"},
)  # fmt: skip

milestones = sa.Table(
    "milestones", console,
    sa.Column("name", sa.Text, primary_key=True, comment="what happened for the first time"),
    sa.Column("detail", sa.Text, nullable=False, server_default=""),
    _now("reached_at"),
)  # fmt: skip

add_claude_tables(console)
add_history_tables(console)
add_alert_tables(console)


def _select(table: sa.Table) -> str:
    return f"SELECT {', '.join(table.columns.keys())} FROM {table.name}"


NOUN_TABLES = (leads, properties, lead_interactions, markets, market_data)

DEFAULT_NOUNS: Mapping[str, str] = MappingProxyType({table.name: _select(table) for table in NOUN_TABLES})
"""For each noun the SELECT that yields the columns of the contract; another schema gives its own SELECTs.

A query says `FROM {leads} AS l`; the SELECT stands there as a subquery, which the planner pulls up, so an index on the
table behind it serves as if the table were named.
"""
