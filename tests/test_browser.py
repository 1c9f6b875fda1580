"""One walk through a real browser: a deep link into a fresh console, then Redis dies while the page is open."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from core.embedded import EmbeddedPostgres
from tests.console_process import ROOT, ConsoleProcess
from tests.servers import fetch_value

CHROMIUM = shutil.which("chromium")
# No connection to anybody but the console: Chromium's own services are off.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)"),
]


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a new browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page()
        browser.close()


def test_a_deep_link_and_an_outage(page: Page, tmp_path: Path) -> None:
    """The first client of a fresh process asks for a page by name and gets it inside the frame; an outage shows and passes."""
    foreign: list[str] = []
    with ConsoleProcess(tmp_path / "data") as console:
        console.wait_ready()
        page.on("request", lambda request: foreign.append(request.url) if "127.0.0.1" not in request.url else None)
        with page.expect_response("**/api/first-line", timeout=30_000) as title_answer:
            page.goto(f"{console.url}/overview")
        assert title_answer.value.json() == {"title": "? Cannot tell"}

        expect(page.get_by_role("note", name="environment")).to_contain_text("embedded PostgreSQL", timeout=20_000)
        title = page.get_by_test_id("stHeading").first
        expect(title).to_contain_text("Cannot tell: the console has just started", timeout=20_000)
        expect(page).to_have_title("? Cannot tell · Operator console")
        expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=20_000)

        redis = console.server("redis-server")
        redis.suspend()
        expect(title).to_contain_text("Redis does not answer", timeout=10_000)
        expect(page.get_by_text(f"kill -CONT {redis.pid}").first).to_be_visible()
        redis.resume()
        expect(title).to_contain_text("the console has just started", timeout=10_000)
        assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []


@pytest.mark.slow
def test_edits_of_the_source_make_no_second_core(page: Page, tmp_path: Path) -> None:
    """With the file watcher on, edits of core, of a page and of app.py leave the one core that there was."""
    copy = tmp_path / "copy"
    for name in ("core", "pages", "alembic", "data", ".streamlit"):
        shutil.copytree(ROOT / name, copy / name)
    for name in ("app.py", "alembic.ini"):
        shutil.copy(ROOT / name, copy / name)
    folder = tmp_path / "data"
    command = ("-m", "streamlit", "run", "app.py", "--server.port", "{port}", "--server.fileWatcherType", "auto")
    with ConsoleProcess(folder, command=command, root=copy) as console:
        console.wait_ready()
        title = page.get_by_test_id("stHeading").first
        for file in ("core/health.py", "core/runtime.py", "pages/overview.py", "app.py"):
            page.goto(console.url)
            expect(title).to_contain_text("the console has just started", timeout=20_000)
            with (copy / file).open("a") as source:
                source.write("\n# edited\n")
            page.wait_for_timeout(1_500)
        page.goto(console.url)
        expect(title).to_contain_text("the console has just started", timeout=20_000)

        # Every core that opens records its start in the console's store.
        assert fetch_value(EmbeddedPostgres(folder).url, "SELECT count(*) FROM console.starts") == 1
