"""A database with two markets, and files to import into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.importer import ImportReport, ImportRequest, run

PROPERTY_HEADER = "id,type,price,listed"


@pytest.fixture
async def connection(platform_connection):
    """A connection to a database with the markets Austin and Dallas and nothing else."""
    await platform_connection.execute(
        "INSERT INTO markets (id, market_name, state) VALUES ('austin', 'Austin', 'TX'), ('dallas', 'Dallas', 'TX')"
    )
    return platform_connection


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file: text in an encoding, or bytes as they are."""

    def write(content: str | bytes, name: str = "rows.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


@pytest.fixture
def load(connection) -> Callable:
    """Imports a file, into Austin where nothing else is said; rejected rows go beside it."""

    async def load(path: Path, kind: str = "properties", **options) -> ImportReport:
        options = {"market": "austin", "rejected_path": path.with_name("rejected.csv"), **options}
        progress = options.pop("progress", lambda what, done, total: None)
        return await run(connection, ImportRequest(kind=kind, path=path, **options), progress)

    return load


def property_rows(count: int, first: int = 1) -> str:
    """Rows under PROPERTY_HEADER."""
    return "".join(
        f"p{number},condo,{number + 100_000},2024-05-{number % 28 + 1:02d}\n" for number in range(first, first + count)
    )
