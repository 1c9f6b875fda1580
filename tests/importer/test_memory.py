"""Memory and speed of an import, in a process of its own."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from core.settings import Settings
from tests.cli.command import ended, started
from tests.servers import execute, fetch_value
from tests.support import wait_until

MOST_MEGABYTES = 300
HEADER = "id,address,type,status,price,beds,baths,sqft,lot_size,built,lat,lon,listed,description\n"


def write_listings(path: Path, rows: int) -> None:
    """Listings of fourteen columns, three in a hundred with a price that cannot be."""
    draw = random.Random(3)
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for number in range(rows):
            price = "-1" if number % 100 < 3 else f'"${draw.randint(100, 900)},{draw.randint(0, 999):03d}"'
            file.write(
                f'MLS-{number},"{draw.randint(1, 9999)} Main St, Unit {number % 50}",{draw.choice(("House", "Condo"))},'
                f"{draw.choice(('For Sale', 'Sold'))},{price},{draw.randint(1, 6)},{draw.choice(('1', '1.5', '2'))},"
                f"{draw.randint(400, 5000)},{draw.randint(0, 20000)},{draw.randint(1900, 2020)},{draw.uniform(30, 31):.6f},"
                f"{draw.uniform(-98, -97):.6f},{draw.randint(1, 12):02d}/{draw.randint(1, 28):02d}/{draw.randint(2018, 2024)},"
                f"Lovely home number {number}\n"
            )


def peak_megabytes(pid: int) -> float:
    """The most memory that a process had so far; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


@pytest.mark.parametrize("rows", [50_000, pytest.param(1_000_000, marks=(pytest.mark.slow, pytest.mark.timeout(400)))])
def test_memory_is_bounded(settings: Settings, database_url: str, tmp_path: Path, rows: int) -> None:
    """However long the file is; three in a hundred rows are rejected, all others are there."""
    path = tmp_path / "listings.csv"
    write_listings(path, rows)
    execute(database_url, "INSERT INTO markets (id, market_name, state) VALUES ('austin', 'Austin', 'TX')")
    arguments = ("import", "properties", str(path), "--market", "austin", "--target", settings.target_name, "--json")
    peak = 0.0

    def over() -> bool:
        nonlocal peak
        peak = max(peak, peak_megabytes(process.pid))
        return process.poll() is not None

    with started(settings, arguments) as process:
        wait_until(over, timeout_seconds=300)
        data = ended(process).body["data"]
    assert (data["read"], data["inserted"], data["rejected"]) == (rows, rows * 97 // 100, rows * 3 // 100)
    assert fetch_value(database_url, "SELECT count(*) FROM properties") == rows * 97 // 100
    assert 30 < peak < MOST_MEGABYTES
