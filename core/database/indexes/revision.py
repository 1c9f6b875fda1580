"""Index revisions: what a revision of `alembic/platform/` does to build its index or take it back, without the console.

The same session code as the console's, on Alembic's own connection: beside running writes, safe to run again.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy.util import await_only

from core.database.indexes.notes import IndexNotes
from core.database.indexes.session import IndexSession, Patience
from core.database.queries import Queries


def build(notes: IndexNotes) -> None:
    """Build the index; one that is there is adopted, what a failed build left is dropped first."""
    with op.get_context().autocommit_block():
        if op.get_context().as_sql:
            op.execute(notes.create_statement)
        else:
            await_only(_on_session(notes, drop=False))


def drop(notes: IndexNotes) -> None:
    """Drop the index."""
    with op.get_context().autocommit_block():
        if op.get_context().as_sql:
            op.execute(notes.take_back)
        else:
            await_only(_on_session(notes, drop=True))


async def _on_session(notes: IndexNotes, *, drop: bool) -> None:
    # The driver's connection: SQLAlchemy would begin a transaction, in which no index is built beside writes.
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    session = IndexSession(connection, Queries(), Patience(), "alembic index")
    await session.prepare()
    await session.take_turn()
    await (session.drop(notes) if drop else session.build(notes))
