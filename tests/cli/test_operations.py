"""`python -m core operations`: list, show, watch and cancel, on the store alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.cli.operations import progress_line
from tests.cli.command import Ended, run_with, variables
from tests.operations.conftest import Opener, open_operations
from tests.operations.process import OperationProcess
from tests.operations.work import Held, at_once, request
from tests.support import wait_until_async

__all__ = ["open_operations"]


class _Command:
    """Runs the command against one store."""

    def __init__(self, url: str, folder: Path) -> None:
        self._environment = variables(console_database_url=url, database_url=url, data_dir=str(folder))

    def __call__(self, *arguments: str) -> Ended:
        return run_with(self._environment, "operations", *arguments)

    def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and the one object."""
        ended = self(*arguments, "--json")
        return ended.code, ended.body


@pytest.fixture
def command(database_url: str, tmp_path: Path) -> _Command:
    """The command on this test's own store."""
    return _Command(database_url, tmp_path / "data")


async def test_what_ran_is_listed_and_shown(command: _Command, open_operations: Opener, database_url: str) -> None:
    """Newest first, filtered, as a table and as one JSON object; the details with the commands to copy."""
    operations = await open_operations(database_url)
    for key in ("a", "b"):
        await operations.wait((await operations.start(request(key, title=f"Import {key}\x1b[2J"), at_once)).operation.id)
    await wait_until_async(lambda: not operations._keeper.jobs())

    code, answer = command.json("list", "--limit", "1", "--kind", "import")
    table = command()
    shown = command("show", "1")

    assert (code, answer["ok"], answer["error"]) == (0, True, None)
    assert [item["id"] for item in answer["data"]["items"]] == [2]
    assert answer["data"]["items"][0]["result"] == {"rows": 3}
    assert table.code == 0
    assert table.out.splitlines()[1].startswith("2   done")
    assert "COPY properties" in shown.out
    assert "\x1b" not in table.out + shown.out


def test_an_empty_list_and_an_unknown_number(command: _Command) -> None:
    """Nothing is no error; a number that is none is one sentence and exit code 1; rubbish is usage."""
    assert command().out == "No operation was found.\n"
    code, answer = command.json("show", "17")
    assert (code, answer["ok"]) == (1, False)
    assert "no operation 17" in answer["error"]["message"]
    assert command("show", "seventeen").code == 2


def test_a_store_that_is_down_is_exit_code_3(tmp_path: Path) -> None:
    """With what to do next on stderr and in the object."""
    command = _Command("postgresql://nobody@127.0.0.1:1/none", tmp_path / "data")

    code, answer = command.json("list")

    assert code == 3
    assert answer["error"]["next_step"]


def test_watch_and_cancel_another_process(command: _Command, database_url: str) -> None:
    """One terminal cancels what a second process runs; the third, which watches, ends with 130."""
    with OperationProcess(database_url) as owner:
        number, _ = owner.start()

        code, cancelled = command.json("cancel", str(number))
        watched = command("watch", str(number), "--json")

        assert (code, cancelled["ok"]) == (0, True)
        assert cancelled["data"]["cancelled_by"].startswith("cli ")
        answer = watched.body
        assert watched.code == 130
        assert answer["data"]["state"] == "cancelled"
        assert command("cancel", str(number)).code == 1


async def test_the_progress_line(open_operations: Opener, database_url: str) -> None:
    """How far; a total that is unknown is left out."""
    operations = await open_operations(database_url)
    work = Held()
    started = await operations.start(request(), work)
    await work.started.wait()

    work.progress("rows", 250, 1_000)
    assert progress_line(await operations.get(started.operation.id)) == "1 running  rows  250 of 1,000 (25%)"
    work.progress("files", 3, 0)
    assert progress_line(await operations.get(started.operation.id)) == "1 running  files  3"
    work.progress("thousandths of an_index (sorting)", 374, 1_000)
    assert progress_line(await operations.get(started.operation.id)) == "1 running  an_index (sorting)  37%"
