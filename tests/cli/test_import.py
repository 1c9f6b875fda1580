"""`python -m core import`: exit codes, the one JSON object, what is refused, and an import that is cancelled or killed."""

from __future__ import annotations

import io
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from core.cli.running import ProgressLine
from core.settings import Settings
from tests.cli.command import Ended, ended, run, started
from tests.importer.conftest import PROPERTY_HEADER, property_rows
from tests.servers import execute, fetch_value
from tests.support import wait_until

ROWS = "SELECT count(*) FROM properties"
BIG = 400_000


@pytest.fixture
def market(database_url: str) -> None:
    """The market Austin."""
    execute(database_url, "INSERT INTO markets (id, market_name, state) VALUES ('austin', 'Austin', 'TX')")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Fifty good rows and a bad one."""
    path = tmp_path / "listings.csv"
    path.write_text(PROPERTY_HEADER + "\n" + property_rows(50) + "px,condo,-1,2024-05-01\n")
    return path


def import_file(settings: Settings, path: Path, *more: str) -> Ended:
    """Import listings into Austin with the target's name typed."""
    return run(settings, "import", "properties", str(path), "--market", "austin", "--target", settings.target_name, *more)


@pytest.mark.usefixtures("market")
def test_import(settings: Settings, database_url: str, file: Path) -> None:
    """One object on stdout, the mapping and progress on stderr, rejected rows beside the file, the operation on record."""
    done = import_file(settings, file, "--json")
    assert done.code == 0, done.err
    assert done.body["ok"] is True
    assert (done.body["data"]["inserted"], done.body["data"]["rejected"]) == (50, 1)
    assert "Mapping: external_id=id" in done.err
    assert "bytes of listings.csv, 100%" in done.err
    assert (file.parent / "listings.rejected.csv").read_text().count("\n") == 2
    assert fetch_value(database_url, ROWS) == 50
    assert fetch_value(database_url, "SELECT state || ' ' || key FROM console.operations") == "done import:properties"

    again = import_file(settings, file)
    assert "50 are there already" in again.out


@pytest.mark.usefixtures("market")
def test_dry_run(settings: Settings, database_url: str, file: Path) -> None:
    """Counts as the import would, writes nothing anywhere."""
    done = import_file(settings, file, "--dry-run")
    assert "50 would be inserted into properties" in done.out
    assert [path.name for path in file.parent.glob("*.csv")] == ["listings.csv"]
    assert fetch_value(database_url, ROWS) == 0


@pytest.mark.usefixtures("market")
def test_the_target_must_be_named(settings: Settings, database_url: str, file: Path) -> None:
    """Without its name, with a wrong one, and in mode watch whatever is typed."""
    arguments = ("import", "properties", str(file), "--market", "austin", "--json")
    watched = replace(settings, mode="watch")
    named = ("--target", settings.target_name)
    for one, more in ((settings, ()), (settings, ("--target", "other")), (watched, named)):
        refused = run(one, *arguments, *more)
        assert refused.code == 1
        assert refused.body["ok"] is False
        assert refused.body["error"]["next_step"]
    assert fetch_value(database_url, ROWS) == 0


@pytest.mark.usefixtures("market")
def test_exit_codes(settings: Settings, file: Path, tmp_path: Path) -> None:
    """1: the file is at fault. 2: usage. 3: PostgreSQL is down."""
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert import_file(settings, empty).code == 1
    assert import_file(settings, file, "--map", "castle=id").code == 1
    assert run(settings, "import", "castles", str(file)).code == 2
    assert import_file(settings, file, "--rejected", str(tmp_path / "nowhere" / "x.csv")).code == 2
    gone = replace(settings, database_url="postgresql://platform@127.0.0.1:1/platform")
    assert import_file(gone, file).code == 3


def big_file(folder: Path) -> Path:
    """A file whose import takes seconds."""
    path = folder / "big.csv"
    path.write_text(PROPERTY_HEADER + "\npx,condo,-1,2024-05-01\n" + property_rows(BIG))
    return path


def copying(database_url: str) -> bool:
    """Whether an import has told that it has read a part of its file."""
    return bool(fetch_value(database_url, "SELECT coalesce(max(done), 0) > 0 FROM console.operations WHERE state = 'running'"))


@pytest.mark.slow
@pytest.mark.usefixtures("market")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels(settings: Settings, database_url: str, tmp_path: Path, number: int) -> None:
    """Ctrl-C and SIGTERM: exit code 130, nothing loaded, nothing left behind, and the record says so."""
    arguments = ("import", "properties", str(big_file(tmp_path)), "--market", "austin", "--target", settings.target_name)
    with started(settings, arguments) as process:
        wait_until(lambda: copying(database_url), timeout_seconds=40)
        process.send_signal(number)
        assert ended(process).code == 130
    assert fetch_value(database_url, ROWS) == 0
    assert fetch_value(database_url, "SELECT state FROM console.operations") == "cancelled"
    assert [item.name for item in tmp_path.glob("*.csv*")] == ["big.csv"]


@pytest.mark.slow
@pytest.mark.usefixtures("market")
def test_a_killed_import_is_interrupted(settings: Settings, database_url: str, tmp_path: Path) -> None:
    """After kill -9 in the middle: the tables are as before, the job is shown interrupted, and it can be started again."""
    path = big_file(tmp_path)
    small = tmp_path / "small.csv"
    small.write_text(PROPERTY_HEADER + "\nbefore,condo,1,2024-05-01\n")
    assert import_file(settings, small).code == 0
    with started(
        settings, ("import", "properties", str(path), "--market", "austin", "--target", settings.target_name)
    ) as process:
        wait_until(lambda: copying(database_url), timeout_seconds=40)
        process.kill()
        ended(process)
    wait_until(lambda: "interrupted" in run(settings, "operations", "list").out, timeout_seconds=30)
    assert fetch_value(database_url, ROWS) == 1
    assert import_file(settings, path, "--json").body["data"]["inserted"] == BIG


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_is_one_line() -> None:
    """Rewritten in place at most five times a second, with rate and time left, and ended once."""
    times = iter((0.0, 0.1, 1.0, 2.0))
    stream = Terminal()
    line = ProgressLine(stream, lambda: next(times))
    for done in (0, 10, 50, 100):
        line("rows", done, 100)
    line.end()
    written = stream.getvalue()
    assert written.count("\r") == 3
    assert written.count("\n") == 1
    assert "50 of 100 rows, 50%   50/s   1 s left" in written


def test_progress_in_a_log_is_plain_lines() -> None:
    """One every two seconds and the last one."""
    times = iter((0.0, 1.0, 2.5, 3.0))
    stream = io.StringIO()
    line = ProgressLine(stream, lambda: next(times))
    for done in (0, 10, 50, 100):
        line("rows", done, 100)
    line.end()
    assert stream.getvalue().splitlines() == [
        "0 of 100 rows, 0%", "50 of 100 rows, 50%   20/s   2 s left", "100 of 100 rows, 100%   33/s",
    ]  # fmt: skip
