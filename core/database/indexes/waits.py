"""Index waits: who keeps a build from going on, in words that fit one line."""

from __future__ import annotations

from typing import Any

QUERY_SHOWN = 60


def who(row: Any) -> str:
    """One session: its process id, name, user, what it does and since when; the text of its statement is cut."""
    parts = [f"pid {row['pid']}", row["application_name"] or "(no name)"]
    if row["user_name"]:
        parts.append(f"of {row['user_name']}")
    query = " ".join((row["query"] or "").split())
    shown = query if len(query) <= QUERY_SHOWN else f"{query[:QUERY_SHOWN]}..."
    state = f"{row['state'] or 'unknown'} for {span(row['seconds'] or 0)}"
    return f"{' '.join(parts)}, {state}" + (f", last said: {shown}" if shown else "")


def way_out(row: Any) -> str:
    """What an operator does about one session that is waited for."""
    if str(row["state"] or "").startswith("idle in transaction"):
        return f"Have it commit or roll back, or end it: SELECT pg_terminate_backend({row['pid']})"
    return f"Let it end, or cancel its statement: SELECT pg_cancel_backend({row['pid']})"


def span(seconds: float) -> str:
    """A time in the unit that reads best."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3600:.1f} h"
