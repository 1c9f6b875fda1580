"""Importing into a real PostgreSQL: counts, duplicates, rejected rows, and nothing half-loaded."""

from __future__ import annotations

import asyncio
import csv
import json
import resource
from datetime import UTC, datetime

import asyncpg
import pytest

from core.errors import DependencyDown, ImportFileError, SchemaError
from core.importer import ImportRequest, run
from core.importer.kinds import PROPERTIES
from core.importer.staging import IMPORT_LOCK, TRY_LOCK
from tests.importer.conftest import PROPERTY_HEADER, property_rows


async def count(connection, table: str = "properties") -> int:
    """Rows of a table."""
    return await connection.fetchval(f"SELECT count(*) FROM {table}")


async def test_good_rows_go_in_and_bad_ones_aside(connection, write, load):
    """Each bad row keeps its line, all its reasons and its fields as they were; formulas stay text."""
    path = write(
        f'{PROPERTY_HEADER},address\np1,condo,"$1,000",2024-05-01,=1+2\n'
        'p2,castle,-5,2024-05-02,"two\nlines"\n\np3,condo,7,2024-05-03,"=1+1"\np4,condo,8\n'.replace(
            '=HYPERLINK("http://x")', "=1+2"
        )
    )
    report = await load(path)
    assert (report.read, report.good, report.inserted, report.rejected) == (4, 2, 2, 2)
    assert await connection.fetch("SELECT external_id, price, address FROM properties ORDER BY id") == [
        ("p1", 1000, "=1+2"), ("p3", 7, "=1+1"),
    ]  # fmt: skip
    with path.with_name("rejected.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["line", "reason", "id", "type", "price", "listed", "address"]
    assert rows[1][0] == "3"
    assert "property_type: 'castle' is none of" in rows[1][1]
    assert "price: '-5' is not above 0" in rows[1][1]
    assert rows[1][2:] == ["p2", "castle", "-5", "2024-05-02", "two\nlines"]
    assert rows[2] == ["7", "has 3 fields, the header has 5", "p4", "condo", "8"]


async def test_every_kind_of_text_survives(connection, write, load):
    """Back-slashes, tabs, quotes, line breaks and other alphabets come out as they went in; NUL is a reason."""
    texts = ["a\\b", "\\N", "tab\there", 'say "x"', "two\r\nlines", "Ünïcödé 日本 🏠", "{}", "\\.", "'; DROP TABLE leads; --"]
    quoted = [text.replace('"', '""') for text in texts]
    rows = "".join(f'l{number},"{text}"\n' for number, text in enumerate(quoted))
    path = write("id,name\n" + rows + "l99,a\0b\n")
    report = await load(path, "leads")
    assert [row["name"] for row in await connection.fetch("SELECT name FROM leads ORDER BY id")] == texts
    assert [item.reason for item in report.reasons] == ["name: holds a NUL character"]


async def test_duplicates_are_counted_exactly(connection, write, load):
    """Inside the file the first one wins; what the table has already stays as it is."""
    await load(write(PROPERTY_HEADER + "\n" + property_rows(10)))
    path = write(PROPERTY_HEADER + "\n" + property_rows(15, first=6) + property_rows(3, first=18) + "p19,land,1,2024-01-01\n")
    dry = await load(path, dry_run=True)
    assert await count(connection) == 10
    report = await load(path)
    for one in (dry, report):
        assert (one.read, one.inserted, one.already_there, one.repeated_in_file) == (19, 10, 5, 4)
    assert await count(connection) == 20
    assert await connection.fetchval("SELECT property_type FROM properties WHERE external_id = 'p19'") == "condo"


async def test_rows_without_ids_get_a_key_of_their_own(connection, write, load):
    """A hash of what identifies them: the second import adds nothing, and the report says what the key is."""
    path = write("type,price,listed,address\n" + "".join(f"condo,{n},2024-05-01,Road {n}\n" for n in (1, 2, 3, 3)))
    first, second = await load(path), await load(path)
    assert (first.inserted, first.repeated_in_file) == (3, 1)
    assert (second.inserted, second.already_there) == (0, 3)
    assert "hash of address, property_type, price, listing_date" in first.notes[0]
    assert (await load(path, market="dallas")).inserted == 3


async def test_leads_keep_the_tables_defaults(connection, write, load):
    """A field that is not mapped, or has no value, is what the table says; preferences are JSON."""
    path = write("id,name,score,pool,rooms\nl1,Ann,,yes,3\n")
    await load(path, "leads", mapping=("property_preferences.pool=pool", "property_preferences.rooms=rooms"))
    row = await connection.fetchrow("SELECT status, score, source, synthetic, property_preferences AS p, created_at FROM leads")
    assert (row["status"], row["score"], row["source"], row["synthetic"]) == ("new", 0, "import", False)
    assert json.loads(row["p"]) == {"pool": True, "rooms": 3}
    assert (datetime.now(UTC) - row["created_at"]).total_seconds() < 60


async def test_interactions_find_their_leads(connection, write, load):
    """By the id in the other system; unknown leads are rejected; the leads' last contact is brought up, never back."""
    await load(write("id,name,last_contact\na,Ann,2024-01-01\nb,Bob,2025-01-01\nc,Cy,\n"), "leads")
    path = write(
        "event,lead,type,when,seconds\n1,a,call,2024-06-01 10:00,30\n2,a,email,2024-05-01,\n3,b,click,2024-06-01,\n"
        "4,nobody,click,2024-06-01,\n5,,click,2024-06-01,\n"
    )
    mapping = ("external_id=event", "created_at=when", "details.seconds=seconds")
    report = await load(path, "interactions", mapping=mapping)
    assert (report.inserted, report.rejected) == (3, 2)
    assert [item.reason for item in report.reasons] == ["there is no lead 'nobody' in austin", "lead_external_id: has no value"]
    last = await connection.fetch("SELECT last_interaction_at::date::text AS day FROM leads ORDER BY external_id")
    assert [row["day"] for row in last] == ["2024-06-01", "2025-01-01", None]
    assert json.loads(await connection.fetchval("SELECT details FROM lead_interactions ORDER BY id")) == {"seconds": 30}
    again = await load(path, "interactions", mapping=mapping)
    assert (again.inserted, again.already_there) == (0, 3)


async def test_interactions_may_name_the_leads_own_id(connection, write, load):
    """Then they need no market."""
    lead = await connection.fetchval("INSERT INTO leads (market_id) VALUES ('austin') RETURNING id")
    path = write(f"lead,type,when\n{lead},view,2024-06-01\n{lead + 7},view,2024-06-01\n9{'9' * 18},view,2024-06-01\n")
    mapping = ("lead_id=lead", "lead_external_id=", "created_at=when")
    report = await load(path, "interactions", mapping=mapping, market=None)
    assert (report.inserted, report.rejected) == (1, 2)
    assert report.reasons[0].reason == f"there is no lead with the id {lead + 7}"


async def test_market_figures_bring_up_their_market(connection, write, load):
    """One figure a row, or several columns; the market's span and average price follow."""
    long = write("month,metric,value\n2024-01-15,Median,300000\n2024-02-01,sales,10\n", name="long.csv")
    assert (await load(long, "market-data", mapping=("date_recorded=month", "month="))).inserted == 2
    wide = write(
        "city,year,month,sales,volume\nDallas,2024,1,10,3000000\nDallas,2024,2,NA,\nDallas,2024,13,1,1\n", name="wide.csv"
    )
    report = await load(wide, "market-data", market=None)
    assert (report.read, report.inserted, report.rejected) == (3, 2, 2)
    rows = await connection.fetch("SELECT data_from::text, data_to::text, avg_price FROM markets ORDER BY id")
    assert [tuple(row) for row in rows] == [("2024-01-01", "2024-02-01", None), ("2024-01-01", "2024-01-01", 300_000)]


async def test_a_market_is_made_only_when_asked_for(connection, write, load):
    """A misspelt one is refused; --create-market makes it with the rows or not at all."""
    path = write(PROPERTY_HEADER + "\n" + property_rows(2))
    with pytest.raises(ImportFileError, match="no market 'asutin'") as raised:
        await load(path, market="asutin")
    assert "austin, dallas" in raised.value.next_step
    report = await load(path, market=None, create_market="Waco, tx")
    assert report.markets_created == ("Waco, TX (waco)",)
    bad = write(PROPERTY_HEADER + '\n"cut', name="bad.csv")
    with pytest.raises(ImportFileError):
        await load(bad, market=None, create_market="Tyler, TX")
    with pytest.raises(ImportFileError, match="There is a market 'austin' already: Austin, TX"):
        await load(path, market=None, create_market="Austin, MN")
    assert await count(connection, "markets") == 3


async def test_rows_of_other_places_are_rejected(connection, write, load):
    """A mapped market must exist, and lie in the state that the row names."""
    path = write(PROPERTY_HEADER + ",city,state\n" + "".join(
        f"p{n},condo,9,2024-05-01,{city},{state}\n" for n, (city, state) in enumerate(
            (("Austin", "TX"), ("dallas", "Texas"), ("Dallas", "GA"), ("Rome", "IT"), ("", "TX"))
        )
    ))  # fmt: skip
    report = await load(path, market=None)
    assert (report.inserted, report.rejected) == (2, 3)
    assert [item.reason for item in report.reasons] == [
        "market: there is no market 'Dallas' in GA", "market: there is no market 'Rome' in IT", "market: has no value",
    ]  # fmt: skip


async def test_a_damaged_file_loads_nothing(connection, write, load):
    """Cut off inside a quoted field after thousands of good rows: no row, no file of rejected ones."""
    path = write(PROPERTY_HEADER + "\np0,condo,-1,2024-05-01\n" + property_rows(30_000) + 'p9,"con')
    with pytest.raises(ImportFileError, match="is cut off"):
        await load(path)
    assert await count(connection) == 0
    assert [item.name for item in path.parent.iterdir()] == ["rows.csv"]


async def test_a_cancelled_import_loads_nothing(connection, write, load):
    """Cancelled in the middle it rolls back, leaves no file, and the connection can be used again."""
    path = write(PROPERTY_HEADER + "\np0,condo,-1,2024-05-01\n" + property_rows(40_000))
    importing = asyncio.ensure_future(load(path, progress=lambda what, done, total: importing.cancel()))
    with pytest.raises(asyncio.CancelledError):
        await importing
    assert await count(connection) == 0
    assert [item.name for item in path.parent.iterdir()] == ["rows.csv"]
    assert (await load(path)).inserted == 40_000


async def test_a_cancel_after_the_commit_undoes_nothing(connection, write, load):
    """Once the rows are there the report comes, with a note where the statistics were left out."""
    task: asyncio.Task | None = None

    def cancel_at_the_end(what: str, done: int, total: int) -> None:
        if what == "rows into properties" and done == total and task is not None:
            asyncio.get_running_loop().call_soon(task.cancel)

    task = asyncio.ensure_future(load(write(PROPERTY_HEADER + "\n" + property_rows(100)), progress=cancel_at_the_end))
    report = await task
    assert report.inserted == await count(connection) == 100


async def test_a_full_disk_loads_nothing(connection, write, load, tmp_path):
    """Rejected rows that cannot be written stop the import; the tables are as before."""
    path = write(PROPERTY_HEADER + "\n" + property_rows(100) + "px,condo,-1,2024-05-01\n" * 20_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        with pytest.raises(ImportFileError, match="rejected rows cannot be written") as raised:
            await load(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "Nothing was loaded" in raised.value.next_step
    assert await count(connection) == 0
    assert [item.name for item in path.parent.iterdir()] == ["rows.csv"]


async def test_two_imports_of_a_kind_take_turns(connection, database_url, write, load):
    """Who comes second is told so at once; a check may run beside, and so may another kind."""
    path = write(PROPERTY_HEADER + "\n" + property_rows(10))
    other = await asyncpg.connect(database_url)
    try:
        async with other.transaction():
            assert await other.fetchval(TRY_LOCK, IMPORT_LOCK, PROPERTIES.name)
            with pytest.raises(ImportFileError, match="Another import of properties"):
                await load(path)
            assert (await load(path, dry_run=True)).inserted == 10
            assert (await load(write("id,name\nl1,Ann\n", name="leads.csv"), "leads")).inserted == 1
        assert (await load(path)).inserted == 10
    finally:
        await other.close()


async def test_a_lost_connection_loads_nothing(connection, database_url, write, load):
    """The server ends the session in the middle: the error says so, and nothing is there."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # asyncpg leaves a future whose error nobody fetched.
    path = write(PROPERTY_HEADER + "\n" + property_rows(60_000))
    importing = await asyncpg.connect(database_url)
    pid = importing.get_server_pid()
    tasks = []

    def cut(what: str, done: int, total: int) -> None:
        if not tasks:
            tasks.append(asyncio.ensure_future(connection.execute("SELECT pg_terminate_backend($1)", pid)))

    with pytest.raises(DependencyDown) as raised:
        await run(importing, ImportRequest(kind="properties", path=path, market="austin"), cut)
    assert "Nothing was loaded" in raised.value.next_step
    assert await count(connection) == 0


async def test_a_refusal_of_postgresql_is_told(connection, write, load):
    """A rule of the database that we do not know rolls everything back and is quoted."""
    await connection.execute("ALTER TABLE properties ADD CONSTRAINT dear CHECK (price > 100005)")
    with pytest.raises(ImportFileError, match='"dear"') as raised:
        await load(write(PROPERTY_HEADER + "\n" + property_rows(10)))
    assert isinstance(raised.value.__cause__.__cause__, asyncpg.CheckViolationError)
    assert await count(connection) == 0


async def test_a_database_without_the_tables_is_refused(empty_database_url, write):
    """Nothing is created there."""
    request = ImportRequest(kind="properties", path=write(PROPERTY_HEADER + "\n" + property_rows(1)), market="austin")
    other = await asyncpg.connect(empty_database_url)
    try:
        with pytest.raises(SchemaError, match="no table properties"):
            await run(other, request)
    finally:
        await other.close()


async def test_progress_counts_bytes_then_rows(write, load):
    """Up to the size of the file, never backwards, then the rows that are inserted."""
    path = write(PROPERTY_HEADER + "\n" + property_rows(25_000))
    seen: dict[str, list[tuple[int, int]]] = {}
    await load(path, progress=lambda what, done, total: seen.setdefault(what, []).append((done, total)))
    size = path.stat().st_size
    assert list(seen) == ["bytes of rows.csv", "rows into properties"]
    assert seen["bytes of rows.csv"][-1] == (size, size)
    assert seen["bytes of rows.csv"] == sorted(seen["bytes of rows.csv"])
    assert seen["rows into properties"] == [(0, 25_000), (25_000, 25_000)]


async def test_statistics_are_gathered(connection, write, load):
    """The planner and the data page know the size at once."""
    await load(write(PROPERTY_HEADER + "\n" + property_rows(50)))
    assert await connection.fetchval("SELECT reltuples FROM pg_class WHERE relname = 'properties'") == 50
