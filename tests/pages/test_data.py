"""The data page: healthy, empty, database down, the import from file to table, generation, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import runtime
from core.settings import Settings
from tests.importer.conftest import PROPERTY_HEADER, property_rows
from tests.pages.opened import console, open_at, press, rerun
from tests.servers import behind, execute, fetch_value, socket_of
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

open_page = partial(open_at, "pages/data.py")
MARKETS = "INSERT INTO markets (id, market_name, state) VALUES ('austin', 'Austin', 'TX'); ANALYZE"


def text(app: AppTest) -> str:
    """All words of the page."""
    kinds = (app.title, app.markdown, app.caption, app.error, app.warning, app.info, app.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def typed(app: AppTest, key: str, settings: Settings) -> AppTest:
    """Type the target's name: the tests' database is not the embedded one."""
    app.text_input(key=key).set_value(settings.target_name)
    return rerun(app)


def over(running: runtime.Running) -> None:
    """Wait until no operation runs."""
    wait_until(lambda: not running.services.operations.running_here(), timeout_seconds=30)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Thirty good rows and a bad one."""
    path = tmp_path / "listings.csv"
    path.write_text(PROPERTY_HEADER + "\n" + property_rows(30) + "px,condo,-1,2024-05-01\n")
    return path


@pytest.fixture
def market(database_url: str) -> None:
    """The market Austin."""
    execute(database_url, MARKETS)


def test_empty(settings: Settings) -> None:
    """No rows: the first line says what to do, and the form waits for a file."""
    with console(settings):
        app = open_page()
        assert "There is no data yet" in app.title[0].value
        assert "Choose a file" in text(app)
        assert {metric.label for metric in app.metric} == {"Properties", "Leads", "Interactions", "Market figures", "Markets"}


def test_database_down(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy], file: Path) -> None:
    """The page stays and says so; what was started ends with the reason and the next step."""
    proxy = tcp_proxy(socket_of(str(settings.database_url)))
    target = behind(proxy, str(settings.database_url))
    with console(replace(settings, database_url=target)) as running:
        proxy.cut()
        app = open_page(file="Path", path=str(file), market="austin")
        assert "Cannot tell what data there is" in app.title[0].value
        assert "**Next:**" in text(app)
        proxy.restore()
        wait_until(lambda: "There is no data yet" in open_page().title[0].value, timeout_seconds=20)
        assert running.services.setup.finished.is_set()


@pytest.mark.usefixtures("market")
def test_import_from_file_to_table(settings: Settings, database_url: str, file: Path) -> None:
    """Preview, check, confirmation with target and counts, import, outcome with the rejected rows to take along."""
    with console(settings) as running:
        app = open_page(file="Path", path=str(file), market="austin")
        assert "px" not in text(app)
        assert f"python -m core import properties {file} --market austin" in text(app)
        assert app.button(key="import_check").disabled
        app = typed(app, "import_target", settings)
        press(app, "import_check")
        over(running)
        app = rerun(app)
        assert next(metric.value for metric in app.metric if metric.label == "To insert") == "30"
        assert "Insert **30 rows** into **properties**" in text(app)
        assert fetch_value(database_url, "SELECT count(*) FROM properties") == 0

        press(app, "import_now")
        over(running)
        app = rerun(app)
        counts = {metric.label: metric.value for metric in app.metric}
        assert (counts["Inserted"], counts["Rejected"]) == ("30", "1")
        assert fetch_value(database_url, "SELECT count(*) FROM properties") == 30
        assert [button.label for button in app.get("download_button")] == ["Rejected rows"]
        assert app.query_params["op"]
        rejected = next((settings.data_dir / "rejected").iterdir())
        assert "px,condo,-1" in rejected.read_text()


@pytest.mark.usefixtures("market")
def test_a_changed_file_must_be_checked_again(settings: Settings, file: Path) -> None:
    """What was checked is what is imported."""
    with console(settings) as running:
        app = open_page(file="Path", path=str(file), market="austin")
        press(typed(app, "import_target", settings), "import_check")
        over(running)
        assert any(button.key == "import_now" for button in rerun(app).button)
        file.write_text(file.read_text() + property_rows(5, first=100))
        assert not any(button.key == "import_now" for button in rerun(app).button)


@pytest.mark.usefixtures("market")
def test_an_upload_is_private_and_goes_with_its_import(settings: Settings, file: Path, database_url: str) -> None:
    """It is kept for its owner alone; the line for the terminal names the operator's own file."""
    with console(settings) as running:
        app = open_page(market="austin")
        app.file_uploader[0].upload(file.name, file.read_bytes(), "text/csv")
        app = typed(rerun(app), "import_target", settings)
        kept = list((settings.data_dir / "uploads").iterdir())
        assert len(kept) == 1
        assert kept[0].stat().st_mode & 0o777 == 0o600
        assert "python -m core import properties listings.csv" in text(app)
        press(app, "import_check")
        over(running)
        press(rerun(app), "import_now")
        over(running)
        assert list((settings.data_dir / "uploads").iterdir()) == []
        assert fetch_value(database_url, "SELECT count(*) FROM properties") == 30


@pytest.mark.usefixtures("market")
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04rubbish", b"a,b\n1,2\n", bytes(range(256)) * 50])
def test_rubbish_is_told_and_offers_nothing(settings: Settings, tmp_path: Path, content: bytes) -> None:
    """A file that cannot be imported is a sentence with the next step, and no button."""
    path = tmp_path / "rubbish.csv"
    path.write_bytes(content)
    with console(settings):
        app = open_page(file="Path", path=str(path), market="austin")
        assert "**Next:**" in app.warning[0].value
        assert not any(button.key == "import_check" for button in app.button)


def test_a_watched_database_is_left_alone(settings: Settings, file: Path) -> None:
    """In mode watch the actions are shown, disabled, with the reason."""
    with console(replace(settings, mode="watch")):
        app = open_page(action="Generate")
        assert app.button(key="generate_start").disabled
        assert "MODE=watch" in text(app)
        execute(str(settings.database_url), MARKETS)
        app = open_page(file="Path", path=str(file), market="austin")
        assert "only watched" in text(app)


def test_generate(settings: Settings, database_url: str) -> None:
    """Sizes from the address, what they take, the line, the target's name, and the rows."""
    with console(settings) as running:
        app = open_page(action="Generate", generate_leads="200", generate_interactions="900", generate_properties="50")
        assert "--leads 200 --interactions 900 --properties 50" in text(app)
        assert "1,150 rows: about" in text(app)
        assert app.button(key="generate_start").disabled
        press(typed(app, "generate_target", settings), "generate_start")
        over(running)
        assert "rows/s" in text(rerun(app))
        assert fetch_value(database_url, "SELECT count(*) FROM leads") == 200


def test_interactions_without_leads_are_refused(settings: Settings) -> None:
    """The form says so and offers no start."""
    with console(settings):
        app = open_page(action="Generate", generate_leads="0")
        assert "no leads to have them" in text(app)
        assert not any(button.key == "generate_start" for button in app.button)
