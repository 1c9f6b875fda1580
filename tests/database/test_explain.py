"""The proof: what may be run, what is kept of parameters, how it is measured, and when a word is said."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import orjson
import pytest

from core.database.explain import Explain
from core.database.plan_tree import parse_plan, plan_lines
from core.database.pool import Database, PoolSettings
from core.database.proof import prove
from core.database.proof_summary import ProofSummary
from core.database.queries import Queries
from core.database.read_only import require_read
from core.database.replay import MeasuredSet, Pace, Replay, Replayed
from core.database.samples import MAX_SETS, ParameterSamples, ParameterSet, SampledDatabase, compose
from core.errors import QueryError, UsageError
from tests.database.conftest import Opened
from tests.servers import execute, fetch_value
from tests.support import wait_until_async

QUICK = Pace(rounds=2, duty=0.9)
LEADS = (
    "INSERT INTO markets (id, market_name, state) SELECT 'm' || n, 'M', 'TX' FROM generate_series(1, 20) AS n;"
    "INSERT INTO leads (market_id, external_id, status, score)"
    " SELECT 'm' || 1 + n % 20, n::text, 'active', n % 100 FROM generate_series(1, 4000) AS n; ANALYZE"
)
BY_MARKET = "SELECT l.id FROM leads AS l WHERE l.market_id = $1 ORDER BY l.score DESC LIMIT 5"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM leads",
        "WITH gone AS (DELETE FROM leads RETURNING 1) SELECT * FROM gone",
        "SELECT 1; SELECT 2",
        "SELECT * INTO copy FROM leads",
        "SELECT pg_terminate_backend(1)",
        'SELECT 1 AS "\'", "pg_terminate_backend" (1) AS "\'"',
        "SELECT 1 AS a$x$, pg_catalog.pg_advisory_lock(1), 2 AS b$x$",
        "SELECT $$'$$, pg_reload_conf(), $$'$$",
        "SELECT 1 /* /* */ ' */ , pg_reload_conf() /* ' */",
        "SELECT E'\\'', pg_reload_conf(), E'\\''",
        "SELECT query_to_xml('DELETE FROM leads', true, true, '')",
        "EXPLAIN ANALYZE DELETE FROM leads",
        "",
    ],
)
def test_what_is_refused(sql: str) -> None:
    """Whatever changes something, reaches beyond the transaction, or cannot be read with certainty."""
    with pytest.raises(UsageError):
        require_read(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM leads WHERE note = 'please delete; now' -- update",
        "VALUES (1), (2);",
        "WITH a AS (SELECT $t$do it$t$ AS words) SELECT * FROM a",
        "SELECT updated_at, pg_size_pretty(pg_relation_size('leads')) FROM leads",
    ],
)
def test_what_only_reads_is_run(sql: str) -> None:
    """Words inside of texts and comments accuse nobody."""
    assert require_read(sql) == sql.rstrip(";")


async def test_a_pasted_statement(database_url: str, opened: Opened) -> None:
    """Its plan comes with rows and pages; parameters are converted; nothing is changed, and its time is limited."""
    execute(database_url, LEADS)
    pasted = Explain(await opened(database_url), timeout_seconds=1.0)
    found = await pasted.pasted("SELECT * FROM leads WHERE market_id = $1 AND score >= ANY($2) LIMIT $3", '["m3", [50, 60], 7]')
    assert (found.rows, found.plan.kind) == (7, "Limit")
    assert "on leads" in "\n".join(plan_lines(found.plan))
    assert found.hit + found.read > 0
    times = "SELECT 1 FROM leads WHERE created_at < $1 AND score > $2::numeric LIMIT 1"
    assert (await pasted.pasted(times, '["2030-01-01T00:00:00+00:00", 1.5]')).rows == 1
    for sql, parameters, error in (
        ("SELECT $1::int", "[]", UsageError),
        ("SELECT $1::int", '["x"]', UsageError),
        ("SELECT 1", "{", UsageError),
        ("SELECT nope FROM leads", "[]", UsageError),
    ):
        with pytest.raises(error):
            await pasted.pasted(sql, parameters)
    slow = await pasted.pasted("SELECT l.id, pg_sleep(1) FROM leads AS l", "[]")
    assert slow.execution_seconds is None
    assert plan_lines(slow.plan) == ["Seq Scan on leads  4,000 rows expected"]
    execute(
        database_url,
        "CREATE FUNCTION harm() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM leads; RETURN 1; END'",
    )
    with pytest.raises(QueryError, match="read-only"):
        await pasted.pasted("SELECT harm()", "[]")
    assert fetch_value(database_url, "SELECT count(*) FROM leads") == 4000


async def test_parameters_are_kept_of_what_is_allowed(database_url: str) -> None:
    """Of named queries on the list, with plain words and numbers; never free text, and never a person's id."""
    samples = ParameterSamples(chance=random.Random(1))
    database = SampledDatabase(database_url, Queries(), PoolSettings(), samples=samples)
    await database.open()
    try:
        for market in ("austin", "Jane Doe, 555-0100"):
            await database.fetch_all("lead_list", ["active"], 50, 10, filters={"market": market})
        await database.fetch_one("lead", 7)
        await database.fetch_all("property_search", 10, filters={"q": "pool"})
        await database.fetch_all("SELECT 1")
        assert samples.of("lead_list").sets == (ParameterSet((["active"], 50, 10), (("market", "austin"),)),)
        assert (samples.of("lead").calls, samples.of("property_search").calls) == (0, 0)
        sql, args = compose(Queries(), "lead_list", samples.of("lead_list").sets[0])
        assert (args[-1], "market_id = $4" in sql) == ("austin", True)
    finally:
        await database.close()


def test_samples_are_bounded_and_follow_the_traffic() -> None:
    """200 sets at most of one query, and after long other traffic nearly none of the old ones."""
    samples = ParameterSamples(chance=random.Random(2))
    for number in range(20_000):
        samples.offer("market_series", (0 if number < 1_000 else 1,), None)
    kept = samples.of("market_series")
    assert (len(kept.sets), kept.calls) == (MAX_SETS, 20_000)
    assert sum(item.args == (0,) for item in kept.sets) < 20


async def _replayed(database: Database, count: int = 20, live: list[float | None] | None = None) -> Replayed:
    values = live or [None]
    replay = Replay(database.connect, lambda: values.pop(0) if len(values) > 1 else values[0], QUICK)
    sets = [ParameterSet((f"m{1 + number % 20}",)) for number in range(count)]
    return await replay.run("by market", sets, lambda asked: (BY_MARKET, asked.args), lambda *_: None)


async def test_an_index_that_helps_is_proved(database_url: str, opened: Opened) -> None:
    """Before and after: the same sets, fewer pages, another plan as a tree, and the word with its reason."""
    execute(database_url, LEADS.replace("4000", "40000"))
    database = await opened(database_url)
    before = await _replayed(database)
    execute(database_url, "CREATE INDEX by_market ON leads (market_id, score DESC); ANALYZE leads")
    proof = prove(before, await _replayed(database))
    assert proof.verdict == "helped", proof.reason
    assert (proof.pairs, proof.other_rows, proof.changed_plans) == (20, 0, 20)
    assert proof.after.pages < proof.before.pages / 10
    assert "by_market" in proof.change.sentence
    assert proof.p95 is not None
    assert any("using by_market" in line for line in plan_lines(proof.example[1].plan))
    kept = orjson.dumps(ProofSummary.of(proof).to_json())
    assert ProofSummary.from_json(orjson.loads(kept)) == ProofSummary.of(proof)
    assert b"'m1'" not in kept
    assert ProofSummary.from_json({"verdict": "helped"}) is None


async def test_nothing_that_changed_proves_nothing(database_url: str, opened: Opened) -> None:
    """Measured twice: the plan is the same; of nine sets nothing is said."""
    execute(database_url, LEADS)
    database = await opened(database_url)
    few = await _replayed(database, 9)
    proof = prove(few, few)
    assert (proof.verdict, proof.change.changed, proof.median) == ("too few", False, None)
    assert "9 of the 10" in proof.reason


async def test_it_stops_when_the_platform_becomes_slower(database_url: str, opened: Opened) -> None:
    """The live P95 rises while it measures: it ends, says why, and keeps what it has."""
    execute(database_url, LEADS)
    found = await _replayed(await opened(database_url), live=[0.010, 0.010, 0.011, 0.080])
    assert 0 < len(found.sets) < 20
    assert "rose from 10.0 to 80.0 ms" in found.stopped


async def test_without_parameters_there_is_nothing_to_measure(database_url: str, opened: Opened) -> None:
    """It is said what brings some."""
    with pytest.raises(UsageError, match="No parameters"):
        await _replayed(await opened(database_url), 0)


async def test_a_cancelled_proof_leaves_no_session(database_url: str, opened: Opened) -> None:
    """Its connection is closed with it."""
    execute(database_url, LEADS)
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'proof of a test'"
    database = await opened(database_url, application_name="proof of a test")
    task = asyncio.create_task(_replayed(database, 200))
    await wait_until_async(lambda: fetch_value(database_url, left) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await wait_until_async(lambda: fetch_value(database_url, left) == 0)


@pytest.mark.parametrize(
    ("factor", "word"), [(0.5, "helped"), (1.0, "no effect"), (1.03, "no effect"), (2.0, "harmed"), (0.95, "no effect")]
)
def test_the_rule(factor: float, word: str) -> None:
    """Half the time is help, twice is harm, what lies within 10 % is neither; also a tail that gets worse is harm."""
    chance = random.Random(3)
    times = [0.010 * chance.uniform(0.5, 2) for _ in range(40)]
    before = _made(times)
    after = [seconds * factor * chance.uniform(0.97, 1.03) for seconds in times]
    assert prove(before, _made(after, "Index Scan")).verdict == word
    tail = [seconds * (3 if place % 4 == 0 else factor) for place, seconds in enumerate(times)]
    assert prove(before, _made(tail, "Index Scan")).verdict == "harmed"
    tiny = [seconds / 1e4 for seconds in times]
    assert prove(_made(tiny), _made([seconds * factor for seconds in tiny], "Index Scan")).verdict == "no effect"
    busy = prove(before, _made(after))
    assert (busy.verdict, "machine was busier" in busy.reason) == ("no effect", word != "no effect")


def _made(times: list[float], kind: str = "Seq Scan") -> Replayed:
    plan = parse_plan({"Node Type": kind, "Actual Rows": 1, "Actual Loops": 1})
    sets = tuple(
        MeasuredSet(asked=ParameterSet((place,)), seconds=seconds, rounds=3, rows=1, pages=9, pages_read=0, plan=plan)
        for place, seconds in enumerate(times)
    )
    return Replayed(query="q", sets=sets, wanted_sets=len(sets), measured_at=datetime.now(UTC), seconds=1.0, stopped="")
