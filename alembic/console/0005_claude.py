"""Claude: its budget, its attempts, the prompts with their versions, and every run of one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TOKENS = (
    "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "thinking_tokens",
)  # fmt: skip
# A version that was run, shown or copied stays what it was, whatever program holds the connection.
REFUSE = """
CREATE FUNCTION console.prompt_versions_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A version of a prompt never changes and is never deleted: make a new one.'
        USING ERRCODE = 'restrict_violation';
END $$
"""
ON_CHANGE = """
CREATE TRIGGER prompt_versions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON console.prompt_versions
FOR EACH STATEMENT EXECUTE FUNCTION console.prompt_versions_stay()
"""


def upgrade() -> None:
    """Make the tables."""
    _make_budget()
    _make_attempts()
    _make_prompts()
    _make_runs()
    op.execute(REFUSE)
    op.execute(ON_CHANGE)


def downgrade() -> None:
    """Drop them."""
    for table in ("prompt_runs", "prompt_versions", "prompts", "claude_attempts", "claude_budget"):
        op.drop_table(table, schema="console")
    op.execute("DROP FUNCTION console.prompt_versions_stay()")


def _make_budget() -> None:
    op.create_table(
        "claude_budget",
        sa.Column("day", sa.Date(), nullable=False, comment="UTC"),
        sa.Column("scope", sa.Text(), nullable=False, comment="claude: money; rehearsal: what it would have cost"),
        sa.Column("operator", sa.Text(), nullable=False, comment="empty: all together"),
        sa.Column("taken_usd", sa.Double(), nullable=False, comment="spent, or leased by a process"),
        sa.Column("granted_usd", sa.Double(), nullable=False, comment="the last lease"),
        sa.PrimaryKeyConstraint("day", "scope", "operator", name=op.f("claude_budget_pkey")),
        schema="console",
    )


def _make_attempts() -> None:
    op.create_table(
        "claude_attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("ask_key", sa.Text(), nullable=False, comment="process and number of the ask"),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="1: the first of its ask"),
        sa.Column("repair", sa.Boolean(), nullable=False, comment="asks for an answer to be put right"),
        sa.Column("scope", sa.Text(), nullable=False, comment="claude, rehearsal"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prompt_name", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False, comment="SHA-256 of the request, hexadecimal"),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False, comment="ok, or the kind of error"),
        sa.Column("status", sa.Integer()),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("duration_seconds", sa.Double(), nullable=False),
        sa.Column("first_token_seconds", sa.Double()),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in TOKENS),
        sa.Column("cost_usd", sa.Double(), comment="NULL: no price is known"),
        sa.PrimaryKeyConstraint("id", name=op.f("claude_attempts_pkey")),
        sa.UniqueConstraint("ask_key", "attempt", name=op.f("claude_attempts_ask_key_attempt_key")),
        schema="console",
    )
    op.create_index("claude_attempts_started_at_idx", "claude_attempts", ["started_at"], schema="console")


def _make_prompts() -> None:
    now = sa.text("now()")
    op.create_table(
        "prompts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("latest", sa.Integer(), nullable=False, comment="number of the newest version"),
        sa.Column("in_use", sa.Integer(), nullable=False, comment="number of the version that answers"),
        sa.Column("shipped_hash", sa.Text(), comment="of the shipped text that was stored last"),
        sa.Column("archived_at", sa.DateTime(timezone=True)),
        sa.Column("archived_by", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("prompts_pkey")),
        schema="console",
    )
    op.create_table(
        "prompt_versions",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("model", sa.Text()),
        sa.Column("schema", sa.Text(), comment="JSON as text: the order of its properties is the order of the answer"),
        sa.Column("max_tokens", sa.Integer(), nullable=False),
        sa.Column("effort", sa.Text()),
        sa.Column("thinking", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("based_on", sa.Integer(), nullable=False, comment="0: on none"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.ForeignKeyConstraint(["name"], ["console.prompts.name"], name=op.f("prompt_versions_name_fkey")),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("prompt_versions_pkey")),
        schema="console",
    )


def _make_runs() -> None:
    op.create_table(
        "prompt_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_key", sa.Text(), nullable=False, comment="so that it is kept once"),
        sa.Column("group_key", sa.Text(), nullable=False, comment="of what ran side by side, or over one set"),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("prompt_name", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Integer(), nullable=False),
        sa.Column("lead_id", sa.Text()),
        sa.Column("variables", pg.JSONB(), nullable=False),
        sa.Column("settings", pg.JSONB(), nullable=False, comment="model, effort, thinking, max_tokens as they were sent"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False, comment="ok, or the kind of error"),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("answer_text", sa.Text(), nullable=False),
        sa.Column("answer_value", pg.JSONB()),
        sa.Column("schema_valid", sa.Boolean(), comment="NULL: no schema, or no answer"),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in TOKENS),
        sa.Column("cost_usd", sa.Double(), comment="NULL: no price is known"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("repairs", sa.Integer(), nullable=False),
        sa.Column("first_token_seconds", sa.Double()),
        sa.Column("duration_seconds", sa.Double(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["prompt_name", "prompt_version"],
            ["console.prompt_versions.name", "console.prompt_versions.version"],
            name=op.f("prompt_runs_prompt_name_fkey"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("prompt_runs_pkey")),
        sa.UniqueConstraint("run_key", name=op.f("prompt_runs_run_key_key")),
        schema="console",
    )
    op.create_index("prompt_runs_prompt_idx", "prompt_runs", ["prompt_name", "id"], schema="console")
