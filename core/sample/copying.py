"""COPY of record batches into a table: drawn and written as CSV on a thread, one batch ahead of the server.

Owns the lock that lets one process at a time add synthetic rows, and the reservation of lead ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
import pyarrow as pa
import pyarrow.csv as pacsv

from core.database.copying import copy_from
from core.errors import SampleDataError
from core.ports import Progress

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SAMPLE_LOCK = 0x73616D70  # Any fixed number: whoever adds synthetic rows to a database holds it.
# One batch takes about a second; this is for a server that hangs.
COPY_TIMEOUT_SECONDS = 300.0
# asyncpg's own piece when it copies from a file.
CHUNK_BYTES = 512 * 1024
# Another session that takes an id of the sequence in the middle makes a gap; leads are seldom created by hand.
RESERVE_TRIES = 5

TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1)"
RESERVE_LEAD_IDS = """
SELECT min(id) AS first, max(id) AS last
FROM (
    SELECT nextval((SELECT pg_get_serial_sequence('leads', 'id')::regclass)) AS id FROM generate_series(1, $1::bigint)
) AS taken
"""


@dataclass(frozen=True, slots=True)
class _Payload:
    columns: list[str]
    rows: int
    csv: pa.Buffer


async def try_lock(connection: Connection) -> bool:
    """Take the sample lock until the end of the transaction; False where another process holds it. Never waits."""
    return bool(await connection.fetchval(TRY_LOCK, SAMPLE_LOCK))


async def copy(connection: Connection, table: str, batches: Iterable[pa.RecordBatch], total: int, progress: Progress) -> int:
    """Copy all batches into a table, tell `progress` after each, and return the number of rows; raises SampleDataError."""
    done = 0
    progress(table, done, total)
    async with refusals_of(table), aclosing(_payloads(iter(batches))) as payloads:
        async for payload in payloads:
            await copy_from(
                connection, table, _chunks(payload.csv), columns=payload.columns, format="csv",
                timeout_seconds=COPY_TIMEOUT_SECONDS,
            )  # fmt: skip
            done += payload.rows
            progress(table, done, total)
    return done


async def reserve_lead_ids(connection: Connection, count: int) -> int:
    """The first of `count` consecutive ids that nobody else will be given; raises SampleDataError."""
    for _ in range(RESERVE_TRIES):
        row = await connection.fetchrow(RESERVE_LEAD_IDS, count)
        if not count or row is None:
            return 1
        if row["last"] - row["first"] + 1 == count:
            return int(row["first"])
    raise SampleDataError(
        "No consecutive ids of leads are to be had: other sessions create leads at the same time.",
        "Stop the import or the traffic that creates leads and generate again.",
    )


@asynccontextmanager
async def refusals_of(table: str) -> AsyncIterator[None]:
    """Turn a refusal of PostgreSQL or a lost connection into SampleDataError."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise SampleDataError(
            f"Sample rows could not be added to {table}: {error}",
            "Nothing of this step was kept. Read the message of PostgreSQL, correct its cause and start again.",
        ) from error


async def _payloads(batches: Iterator[pa.RecordBatch]) -> AsyncGenerator[_Payload, None]:
    """The batches as CSV, the next one made while the server takes this one."""
    loop = asyncio.get_running_loop()
    # One thread of our own: spread over a pool, each of its threads would keep the memory of its largest batch.
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sample-batch")
    following = loop.run_in_executor(thread, _encode_next, batches)
    try:
        while (payload := await following) is not None:
            following = loop.run_in_executor(thread, _encode_next, batches)
            yield payload
    finally:
        # The thread ends the batch that it is at; nobody waits for a batch that nobody wants.
        following.cancel()
        thread.shutdown(wait=False, cancel_futures=True)


async def _chunks(csv: pa.Buffer) -> AsyncGenerator[bytes, None]:
    """The bytes in pieces; given a file, asyncpg would read it on its own threads and leave it to the garbage collector."""
    for offset in range(0, csv.size, CHUNK_BYTES):
        yield csv.slice(offset, min(CHUNK_BYTES, csv.size - offset)).to_pybytes()


def _encode_next(batches: Iterator[pa.RecordBatch]) -> _Payload | None:
    batch = next(batches, None)
    if batch is None:
        return None
    target = pa.BufferOutputStream()
    pacsv.write_csv(batch, target, pacsv.WriteOptions(include_header=False))
    return _Payload(batch.schema.names, batch.num_rows, target.getvalue())
