"""ClaudeSchema: the tables of the console's store that core.claude keeps: budget, attempts, prompts and their runs.

Owns their columns, as `core.database.schema` does those of the rest, of which this is a part.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

TOKENS = (
    "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "thinking_tokens",
)  # fmt: skip


def add_claude_tables(console: sa.MetaData) -> None:
    """Put the tables into the console's MetaData."""
    _budget(console)
    _attempts(console)
    _prompts(console)
    _runs(console)


def _budget(console: sa.MetaData) -> None:
    sa.Table(
        "claude_budget", console,
        sa.Column("day", sa.Date, primary_key=True, comment="UTC"),
        sa.Column("scope", sa.Text, primary_key=True, comment="claude: money; rehearsal: what it would have cost"),
        sa.Column("operator", sa.Text, primary_key=True, comment="empty: all together"),
        sa.Column("taken_usd", sa.Double, nullable=False, comment="spent, or leased by a process"),
        sa.Column("granted_usd", sa.Double, nullable=False, comment="the last lease"),
    )  # fmt: skip


def _attempts(console: sa.MetaData) -> None:
    sa.Table(
        "claude_attempts", console,
        sa.Column("id", sa.BigInteger, sa.Identity(always=False), primary_key=True),
        sa.Column("ask_key", sa.Text, nullable=False, comment="process and number of the ask"),
        sa.Column("attempt", sa.Integer, nullable=False, comment="1: the first of its ask"),
        sa.Column("repair", sa.Boolean, nullable=False, comment="asks for an answer to be put right"),
        sa.Column("scope", sa.Text, nullable=False, comment="claude, rehearsal"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prompt_name", sa.Text, nullable=False), sa.Column("prompt_version", sa.Text, nullable=False),
        sa.Column("request_hash", sa.Text, nullable=False, comment="SHA-256 of the request, hexadecimal"),
        sa.Column("operator", sa.Text, nullable=False), sa.Column("lane", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False, comment="ok, or the kind of error"),
        sa.Column("status", sa.Integer), sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("duration_seconds", sa.Double, nullable=False), sa.Column("first_token_seconds", sa.Double),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in TOKENS),
        sa.Column("cost_usd", sa.Double, comment="NULL: no price is known"),
        sa.UniqueConstraint("ask_key", "attempt"),
        sa.Index("claude_attempts_started_at_idx", "started_at"),
    )  # fmt: skip


def _prompts(console: sa.MetaData) -> None:
    sa.Table(
        "prompts", console,
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("latest", sa.Integer, nullable=False, comment="number of the newest version"),
        sa.Column("in_use", sa.Integer, nullable=False, comment="number of the version that answers"),
        sa.Column("shipped_hash", sa.Text, comment="of the shipped text that was stored last"),
        sa.Column("archived_at", sa.DateTime(timezone=True)), sa.Column("archived_by", sa.Text),
        _now("created_at"),
    )  # fmt: skip
    sa.Table(
        "prompt_versions", console,
        sa.Column("name", sa.Text, sa.ForeignKey("console.prompts.name"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("title", sa.Text, nullable=False), sa.Column("system", sa.Text, nullable=False),
        sa.Column("template", sa.Text, nullable=False), sa.Column("model", sa.Text),
        sa.Column("schema", sa.Text, comment="JSON as text: the order of its properties is the order of the answer"),
        sa.Column("max_tokens", sa.Integer, nullable=False), sa.Column("effort", sa.Text),
        sa.Column("thinking", sa.Text, nullable=False), sa.Column("author", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False), sa.Column("based_on", sa.Integer, nullable=False, comment="0: on none"),
        _now("created_at"),
    )  # fmt: skip


def _runs(console: sa.MetaData) -> None:
    sa.Table(
        "prompt_runs", console,
        sa.Column("id", sa.BigInteger, sa.Identity(always=False), primary_key=True),
        sa.Column("run_key", sa.Text, nullable=False, unique=True, comment="so that it is kept once"),
        sa.Column("group_key", sa.Text, nullable=False, comment="of what ran side by side, or over one set"),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("prompt_name", sa.Text, nullable=False), sa.Column("prompt_version", sa.Integer),
        sa.Column("lead_id", sa.Text), sa.Column("variables", pg.JSONB, nullable=False),
        sa.Column("settings", pg.JSONB, nullable=False, comment="model, effort, thinking, max_tokens as they were sent"),
        sa.Column("source", sa.Text, nullable=False), sa.Column("rehearsal", sa.Boolean, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False, comment="ok, or the kind of error"),
        sa.Column("error", sa.Text, nullable=False), sa.Column("answer_text", sa.Text, nullable=False),
        sa.Column("answer_value", pg.JSONB), sa.Column("schema_valid", sa.Boolean, comment="NULL: no schema, or no answer"),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in TOKENS),
        sa.Column("cost_usd", sa.Double, comment="NULL: no price is known"),
        sa.Column("attempts", sa.Integer, nullable=False), sa.Column("repairs", sa.Integer, nullable=False),
        sa.Column("first_token_seconds", sa.Double), sa.Column("duration_seconds", sa.Double, nullable=False),
        sa.Column("note", sa.Text, nullable=False), sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "draft", sa.Text, nullable=False, server_default="", comment="the text that ran where it is no version, as JSON"
        ),
        sa.ForeignKeyConstraint(
            ["prompt_name", "prompt_version"], ["console.prompt_versions.name", "console.prompt_versions.version"]
        ),
        sa.Index("prompt_runs_prompt_idx", "prompt_name", "id"),
    )  # fmt: skip


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())
