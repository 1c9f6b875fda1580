"""The activity page: healthy, empty, the store down, each action, and what is in its address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from core import runtime
from core.operations import Operation, OperationRequest, Pause, Work
from core.ports import Progress
from core.services import build_services
from core.settings import Settings
from tests.operations.process import OperationProcess
from tests.operations.work import Held, at_once, request
from tests.pages.opened import open_at, rerun
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

ROOT = Path(__file__).parents[2]


@contextmanager
def _console(settings: Settings) -> Iterator[runtime.Running]:
    with runtime.use(build_services(settings)) as running:
        wait_until(running.services.setup.finished.is_set)
        yield running


def _start(running: runtime.Running, asked: OperationRequest, work: Work) -> Operation:
    return running.gate.run(running.services.operations.start(asked, work), 10).operation


def _run(running: runtime.Running, asked: OperationRequest, work: Work = at_once) -> Operation:
    operation = _start(running, asked, work)
    running.gate.run(running.services.operations.wait(operation.id), 10)
    wait_until(lambda: not running.services.operations.running_here())
    return operation


def _page(**address: str) -> AppTest:
    return open_at("pages/activity.py", **address)


def _text(app: AppTest) -> str:
    kinds = (app.title, app.markdown, app.caption, app.subheader, app.error, app.warning, app.info, app.code)
    return "\n".join(element.value for kind in kinds for element in kind)


def _numbers(app: AppTest) -> list[int]:
    return list(app.dataframe[0].value["No."]) if app.dataframe else []


def _button(app: AppTest, label: str) -> Any:
    return next(button for button in app.button if button.label == label)


def test_empty(settings: Settings) -> None:
    """Nothing ran yet: the page says so and where operations come from."""
    with _console(settings):
        app = _page()

        assert "Nothing runs, and nothing was run yet" in app.title[0].value
        assert "appear here once started" in _text(app)


def test_what_runs_and_what_ran(settings: Settings) -> None:
    """A job of this process with its progress, and the history under it."""
    with _console(settings) as running:
        _run(running, request("import:leads", title="Import leads"))
        work = Held()
        _start(running, request(), work)
        wait_until(work.started.is_set)
        work.progress("rows", 500, 2_000)
        app = _page()

        text = _text(app)
        assert "Running now: Import properties" in app.title[0].value
        assert "started by local operator" in text
        assert app.get("progress")[0].proto.text.startswith("rows: 500 of 2,000 (25 %)")
        assert _numbers(app) == [2, 1]
        assert list(app.dataframe[0].value["Outcome"])[1] == "rows 3"


def test_an_operation_of_another_process_is_cancelled_here(settings: Settings, database_url: str) -> None:
    """It is shown with whose it is; the confirmation's button ends it, and a toast says that it ended."""
    with _console(settings), OperationProcess(database_url) as owner:
        number, _ = owner.start()
        app = _page()
        assert "started by another process" in _text(app)
        assert f"python -m core operations cancel {number}" in _text(app)

        _button(app, "Cancel this operation").click()
        rerun(app)
        assert owner.line() == "cancelled"
        wait_until(lambda: "Running now" not in rerun(app).title[0].value)

        assert any("cancelled" in toast.value for toast in app.toast) or "last one was cancelled" in app.title[0].value
        assert app.dataframe[0].value["State"][0] == ["cancelled"]


def test_pause_and_resume(settings: Settings) -> None:
    """An operation that can be held has a button for it, says who holds it, and goes on; another one has none."""
    with _console(settings) as running:
        work, pause = Held(), Pause()
        running.gate.run(running.services.operations.start(request("import:leads"), work, pause), 10)
        app = _page()
        _button(app, "Pause").click()
        rerun(app)
        assert pause.held
        assert "paused by local operator" in _text(app)
        _button(app, "Resume").click()
        rerun(app)
        assert not pause.held
        assert "paused by" not in _text(app)
        running.gate.run(running.services.operations.cancel(1, "local operator"), 10)
        wait_until(lambda: not running.services.operations.running_here())
        _start(running, request(), Held())
        wait_until(lambda: "Pause" not in {button.label for button in _page().button}, timeout_seconds=20)


def test_a_cancel_that_comes_too_late_says_so(settings: Settings) -> None:
    """The button was drawn while it ran; it is over when the button is pressed."""
    with _console(settings) as running:
        work = Held()
        operation = _start(running, request(), work)
        app = _page()
        running.thread.gate.run(_let_go(work), 5)
        running.gate.run(running.services.operations.wait(operation.id), 10)

        _button(app, "Cancel this operation").click()
        rerun(app)

        assert "over already" in _text(app)


async def _let_go(work: Held) -> None:
    work.let_go.set()


def test_the_store_down(settings: Settings, database_url: str, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """Cannot tell, why, and what to do; what runs in this process is still shown and can be cancelled."""
    folder = unquote(parse_qs(urlsplit(database_url).query)["host"][0])
    proxy = tcp_proxy(str(Path(folder) / ".s.PGSQL.5432"))
    url = f"postgresql://platform@127.0.0.1:{proxy.port}{urlsplit(database_url).path}?sslmode=disable"
    fields = {name: getattr(settings, name) for name in Settings.__slots__}
    with _console(Settings(**{**fields, "console_database_url": url})) as running:
        work = Held()
        _start(running, request(), work)
        proxy.cut()
        app = _page()

        assert "Cannot tell" in app.title[0].value
        assert "**Next:**" in _text(app)
        assert "**Import properties**" in _text(app)
        _button(app, "Cancel this operation").click()
        rerun(app)
        wait_until(work.ended.is_set)
        proxy.restore()
        wait_until(lambda: "last one was cancelled" in rerun(app).title[0].value, timeout_seconds=20)


def test_details_of_one_by_its_address(settings: Settings) -> None:
    """Parameters, result, commands to copy, error and next step; what people typed is shown as they typed it."""

    async def broken(_progress: Progress) -> Mapping[str, Any]:
        raise ZeroDivisionError("*division* by zero")

    with _console(settings) as running:
        operation = _run(running, request(title=":red[x] *y*", parameters={"file": "a.csv"}), broken)
        app = _page(id=str(operation.id))

        text = _text(app)
        assert "ZeroDivisionError\\: \\*division\\* by zero" in text
        assert "**Next:** Report this with the log" in text
        assert "\\:red\\[x\\] \\*y\\*" in text
        assert "COPY properties" in [code.value for code in app.code]
        assert "a.csv" in app.json[0].value


@pytest.mark.parametrize("number", ["0", "99", "-1", "x", "9" * 30, "\u0661"])
def test_an_address_that_names_no_operation(settings: Settings, number: str) -> None:
    """Rubbish in the address is a sentence or nothing, never an exception."""
    with _console(settings):
        text = _text(_page(id=number, before=number, state="sleeping", kind="<b>"))

        assert ("There is no operation" in text) == (number in ("0", "99"))
        assert "No operation is of this kind" in text


def test_filters_are_in_the_address(settings: Settings) -> None:
    """A chosen filter narrows the table; a link with filters opens the same view."""
    with _console(settings) as running:
        _run(running, request("a", kind="import"))
        _run(running, request("b", kind="load", operator="cli anna@desk"))
        app = _page()
        assert _numbers(app) == [2, 1]

        app.selectbox(key="kind").select("load")
        rerun(app)
        assert _numbers(app) == [2]

        assert _numbers(_page(operator="local operator")) == [1]
        assert _numbers(_page(state="failed")) == []


def test_older_ones_are_paged(settings: Settings) -> None:
    """Twenty-five a page: older, then back to the newest."""
    with _console(settings) as running:
        for number in range(27):
            _run(running, request(f"key-{number}"))
        app = _page()
        assert (_numbers(app)[0], len(_numbers(app))) == (27, 25)

        _button(app, "Older").click()
        assert _numbers(rerun(app)) == [2, 1]
        assert _button(app, "Older").disabled
        _button(app, "Newest").click()
        assert _numbers(rerun(app))[0] == 27


def test_the_export_has_what_is_filtered(settings: Settings) -> None:
    """All pages of it, whatever page is shown."""
    with _console(settings) as running:
        _run(running, request("a", kind="import", title="=1+1"))
        _run(running, request("b", kind="load"))
        from core.platform.activity import Filters  # noqa: PLC0415 - the page's own type, needed here alone

        text = running.gate.run(running.services.activity.export(Filters(kind="import", before_id=1)), 10)

        assert len(text.splitlines()) == 2
        assert "'=1+1" in text


def test_a_page_that_is_run_without_app_py_shows_nothing(settings: Settings) -> None:
    """The guard stops a page that was reached around the frame."""
    with _console(settings):
        app = AppTest.from_file(ROOT / "pages/activity.py", default_timeout=30).run()

        assert not app.title
        assert "opened through the console's first page" in app.error[0].value
