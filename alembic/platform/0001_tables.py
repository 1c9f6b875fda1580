"""The platform's tables: keys and checks, no performance index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = ("tables",)
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "ai_responses",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("prompt_hash", sa.Text(), nullable=False, comment="SHA-256 of the canonical prompt, hexadecimal"),
        sa.Column("prompt_name", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("response", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Numeric(precision=12, scale=6), nullable=True),
        sa.Column("duration_seconds", sa.Double(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "synthetic",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="made by the generator, not observed",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("source IN ('claude', 'rehearsal')", name=op.f("ai_responses_source_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("ai_responses_pkey")),
    )
    op.create_table(
        "markets",
        sa.Column("id", sa.Text(), nullable=False, comment="slug: austin, dallas, houston, san_antonio, toledo"),
        sa.Column("market_name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="two letters"),
        sa.Column(
            "avg_price", sa.Numeric(precision=12, scale=2), nullable=True, comment="US dollars, of the period that data_to ends"
        ),
        sa.Column("data_from", sa.Date(), nullable=True, comment="first month of market_data"),
        sa.Column("data_to", sa.Date(), nullable=True, comment="last month of market_data"),
        sa.Column("source", sa.Text(), nullable=True, comment="where the figures come from"),
        sa.Column("note", sa.Text(), nullable=True, comment="what a reader must know of the figures"),
        sa.Column(
            "synthetic",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="made by the generator, not observed",
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id ~ '^[a-z][a-z0-9_]*$'", name=op.f("markets_id_check")),
        sa.CheckConstraint("avg_price > 0", name=op.f("markets_avg_price_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("markets_pkey")),
    )
    op.create_table(
        "analytics_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("market_id", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("properties", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column(
            "synthetic",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="made by the generator, not observed",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("analytics_events_market_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("analytics_events_pkey")),
    )
    op.create_table(
        "leads",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("market_id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True, comment="the id in the system that the lead was imported from"),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="new", nullable=False),
        sa.Column("score", sa.SmallInteger(), server_default="0", nullable=False, comment="0..100"),
        sa.Column("budget_range", sa.Text(), nullable=True, comment="'300k-400k', '1m+': thousands or millions of US dollars"),
        sa.Column("property_type", sa.Text(), nullable=True, comment="the type that the lead looks for"),
        sa.Column(
            "property_preferences",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "search_history", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True, comment="web, referral, portal, open_house, import"),
        sa.Column("assigned_agent_id", sa.Text(), nullable=True, comment="'agent-07'"),
        sa.Column("last_interaction_at", sa.DateTime(timezone=True), nullable=True, comment="NULL: never contacted"),
        sa.Column(
            "synthetic",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="made by the generator, not observed",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "property_type IN ('single_family', 'condo', 'townhouse', 'multi_family', 'apartment', 'land', 'other')",
            name=op.f("leads_property_type_check"),
        ),
        sa.CheckConstraint(
            "status IN ('new', 'active', 'nurturing', 'hot', 'qualified', 'won', 'lost', 'unsubscribed')",
            name=op.f("leads_status_check"),
        ),
        sa.CheckConstraint("score BETWEEN 0 AND 100", name=op.f("leads_score_check")),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("leads_market_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("leads_pkey")),
        sa.UniqueConstraint("market_id", "external_id", name=op.f("leads_market_id_external_id_key")),
        postgresql_with={"fillfactor": "85"},
    )
    op.create_table(
        "market_data",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("market_id", sa.Text(), nullable=False),
        sa.Column("data_type", sa.Text(), nullable=False),
        sa.Column("date_recorded", sa.Date(), nullable=False, comment="first day of the month that the value is of"),
        sa.Column(
            "value",
            sa.Double(),
            nullable=False,
            comment="sales, listings: count; volume, median_price: dollars; inventory: months",
        ),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column(
            "synthetic",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="made by the generator, not observed",
        ),
        sa.CheckConstraint(
            "data_type IN ('sales', 'volume', 'median_price', 'listings', 'inventory_months')",
            name=op.f("market_data_data_type_check"),
        ),
        sa.CheckConstraint("value >= 0", name=op.f("market_data_value_check")),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("market_data_market_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("market_data_pkey")),
        sa.UniqueConstraint(
            "market_id", "data_type", "date_recorded", name=op.f("market_data_market_id_data_type_date_recorded_key")
        ),
    )
    op.create_table(
        "properties",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("market_id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True, comment="the id in the system that the listing was imported from"),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("neighborhood", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("image_urls", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("property_type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("price", sa.Numeric(precision=12, scale=2), nullable=False, comment="US dollars of listing_date"),
        sa.Column("bedrooms", sa.SmallInteger(), nullable=True),
        sa.Column("bathrooms", sa.Numeric(precision=4, scale=2), nullable=True),
        sa.Column("square_feet", sa.Integer(), nullable=True, comment="living area"),
        sa.Column("lot_square_feet", sa.Integer(), nullable=True),
        sa.Column("year_built", sa.SmallInteger(), nullable=True),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("listing_date", sa.Date(), nullable=False),
        sa.Column(
            "synthetic",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="made by the generator, not observed",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "property_type IN ('single_family', 'condo', 'townhouse', 'multi_family', 'apartment', 'land', 'other')",
            name=op.f("properties_property_type_check"),
        ),
        sa.CheckConstraint("status IN ('active', 'pending', 'sold', 'withdrawn')", name=op.f("properties_status_check")),
        sa.CheckConstraint("bathrooms >= 0", name=op.f("properties_bathrooms_check")),
        sa.CheckConstraint("bedrooms >= 0", name=op.f("properties_bedrooms_check")),
        sa.CheckConstraint("price > 0", name=op.f("properties_price_check")),
        sa.CheckConstraint("square_feet > 0", name=op.f("properties_square_feet_check")),
        sa.ForeignKeyConstraint(["market_id"], ["markets.id"], name=op.f("properties_market_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("properties_pkey")),
        sa.UniqueConstraint("market_id", "external_id", name=op.f("properties_market_id_external_id_key")),
    )
    op.create_table(
        "lead_interactions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lead_id", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("interaction_type", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column(
            "synthetic",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="made by the generator, not observed",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "interaction_type IN ('email_open', 'link_click', 'form_submit', 'call_answered',"
            " 'email_sent', 'call_missed', 'page_view', 'showing_booked')",
            name=op.f("lead_interactions_interaction_type_check"),
        ),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=op.f("lead_interactions_lead_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("lead_interactions_pkey")),
        sa.UniqueConstraint("external_id", name=op.f("lead_interactions_external_id_key")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("lead_interactions")
    op.drop_table("properties")
    op.drop_table("market_data")
    op.drop_table("leads")
    op.drop_table("analytics_events")
    op.drop_table("markets")
    op.drop_table("ai_responses")
