"""Keys of plans: from an access log of any form and size, from paths, rows and misses, in their order, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from core.cache.insight import KeyCount
from core.cache.warming.access_log import asked, count_log
from core.cache.warming.plan_keys import PlanKeys, PlannedKeys
from core.cache.warming.plans import WarmPlan
from core.errors import UsageError
from core.platform.read_paths import key_of_path
from tests.cache.warm_loads import NoRows, ToldLoads, families_of

LINES = {
    '10.0.0.1 - - [22/Nov/2026:07:01:02 +0000] "GET /api/leads?market=austin HTTP/1.1" 200 512': "/api/leads?market=austin",
    "GET /api/markets": "/api/markets",
    "HEAD https://platform.example/api/leads/7 HTTP/1.1": "/api/leads/7",
    "https://platform.example/api/leads/7": "/api/leads/7",
    "/api/leads/7": "/api/leads/7",
    "lead:7": "lead:7",
    '10.0.0.1 - - [..] "POST /api/events HTTP/1.1" 202 -': None,
    "": None,
    "\x00\xff binary": None,
}


class Rows(NoRows):
    """A database that answers one query."""

    def __init__(self, *rows: Mapping[str, Any]) -> None:
        self._rows = rows

    async def fetch_all(self, *_: object, **__: object) -> Sequence[Any]:
        return self._rows


async def keys_of(plan: WarmPlan, rows: Rows | None = None, missed: Sequence[KeyCount] = ()) -> PlannedKeys:
    """The keys of a plan whose one family is `lead`."""
    keys = PlanKeys(rows or NoRows(), families_of(ToldLoads()), lambda limit: missed[:limit], key_of_path)
    return await keys.of(plan)


def plan_of(**given: Any) -> WarmPlan:
    """A plan of these fields."""
    return WarmPlan(name="plan", title="Plan", **given)


@pytest.mark.parametrize(("line", "wanted"), LINES.items())
def test_a_line_of_a_log(line, wanted):
    """The common log format, bare request lines, paths, addresses and keys; a write asks for nothing."""
    found = asked(line.encode("utf-8", "surrogateescape"))
    assert (found.decode() if found else None) == wanted


def test_a_large_log_in_bounded_memory(tmp_path):
    """Ten thousand paths that occur once do not drive out those that are frequent, and only the end of the file is read."""
    path = tmp_path / "access.log"
    with path.open("w") as log:
        log.writelines("/old\n" for _ in range(50_000))
        for number in range(10_000):
            log.write(f"/once/{number}\n/often\n" + ("/half\n" if number % 2 else "no request\n"))
    newer = path.stat().st_size - 50_000 * len("/old\n")
    counted = count_log(path, most_bytes=newer + 3, most_texts=100)
    assert [text for text, _ in counted.counts[:2]] == ["/often", "/half"]
    assert len(counted.counts) <= 100
    assert counted.counts[0][1] > 9_000
    assert (counted.lines, counted.without) == (30_000, 5_000)
    assert count_log(path, most_bytes=1_000).counts[0][0] == "/often"


def test_a_log_that_is_not_there(tmp_path):
    """The plan is to be corrected."""
    with pytest.raises(UsageError, match="cannot be read"):
        count_log(tmp_path / "none.log")


async def test_keys_of_an_access_log(tmp_path):
    """Forms of the same read are one key with their sum; what is no cached read is counted, with the first reasons."""
    path = tmp_path / "access.log"
    lines = ["/api/leads/7", "lead:7", "/api/leads/8", "/api/leads/8", "/api/leads/8", *(f"/static/{n}.js" for n in range(9))]
    path.write_text("\n".join(lines))
    planned = await keys_of(plan_of(access_log=path, order="most_wanted"))
    assert [(item.key, item.wanted) for item in planned.keys] == [("lead:8", 3.0), ("lead:7", 2.0)]
    assert (planned.refused, len(planned.reasons)) == (9, 5)


async def test_rows_fill_a_template():
    """Each row in each template, values quoted, NULL as nothing; what the plan lists comes first, and the limit holds."""
    rows = Rows({"id": "a b/c", "wanted": 1}, {"id": 5, "wanted": 9}, {"id": None, "wanted": 2})
    plan = plan_of(query="q", keys=("lead:first",), templates=("lead:{id}", "lead:x{id}"))
    planned = await keys_of(plan, rows)
    assert [item.key for item in planned.keys] == [
        "lead:first", "lead:a%20b%2Fc", "lead:xa%20b%2Fc", "lead:5", "lead:x5", "lead:x"
    ]  # fmt: skip
    assert planned.refused == 1
    few = await keys_of(plan_of(query="q", templates=("lead:{id}",), order="most_wanted", limit=1), rows)
    assert ([item.key for item in few.keys], few.beyond_limit) == (["lead:5"], 1)


async def test_a_column_that_the_query_lacks():
    """The plan is at fault: the columns that there are are named."""
    with pytest.raises(UsageError, match="has the columns id, and not name"):
        await keys_of(plan_of(query="q", templates=("lead:{name}",)), Rows({"id": 1}))


async def test_the_dearest_first():
    """By the key's own mean, else by its family's; keys without a family are left out of what was missed."""
    missed = [KeyCount("lead:1", 4, 0.4), KeyCount("lead:2", 1, 2.0), KeyCount("house:1", 9, 9.0)]
    planned = await keys_of(plan_of(most_missed=True, order="most_expensive"), missed=missed)
    assert [(item.key, item.cost_seconds) for item in planned.keys] == [("lead:2", 2.0), ("lead:1", pytest.approx(0.1))]
    listed = await keys_of(plan_of(keys=("lead:1", "lead:3", "lead:2"), order="most_expensive"), missed=missed)
    assert [item.key for item in listed.keys] == ["lead:2", "lead:3", "lead:1"]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/api/markets", "market_data:list"),
        ("/api/markets/list", "market_data:%6Cist"),
        ("/api/leads", "leads:limit=100&min_score=50"),
        ("/api/leads?min_score=50&market=austin&limit=100&utm=x", "leads:limit=100&market=austin&min_score=50"),
        ("/api/properties?market=austin&property_type=", "property_search:limit=50&market=austin"),
        ("/api/properties?q=a%20b&max_price=300000.0", "property_search:limit=50&max_price=300000&q=a%20b"),
    ],
)
def test_the_key_that_a_path_reads(path, key):
    """The one form, with the defaults of the route."""
    assert key_of_path(path) == key


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/api/leads?limit=x", "/api/leads?limit=9999", "/api/properties?q=%ff", "/api/events"]
)
def test_a_path_that_reads_no_key(path):
    """Nothing is guessed."""
    with pytest.raises(UsageError):
        key_of_path(path)
