"""The live charts in a browser: a zoom outlives refreshes and reruns, Live off stands still, a cut shows as stale."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Request, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.console_process import ConsoleProcess
from tests.test_browser import CHROMIUM, FLAGS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser-live"),  # one console for all of them
    pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed (apt-get install chromium)"),
]

RANGE = "element => element.querySelector('.js-plotly-plot')._fullLayout.xaxis.range.map(String)"
FLAG = """element => {
    const { _size: box } = element.querySelector('.js-plotly-plot')._fullLayout;
    return (parseFloat(element.querySelector('.live-chart__flag').style.left) - box.l) / box.w;
}"""
BACKGROUND = "element => getComputedStyle(element.querySelector('.gridlayer path, .gridlayer line')).stroke"


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    """A console that has answered enough requests for a line."""
    with ConsoleProcess(tmp_path_factory.mktemp("live") / "data") as console:
        console.wait_ready()
        _traffic(console)
        yield console


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a new browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(viewport={"width": 1440, "height": 1600})
        browser.close()


def _traffic(console: ConsoleProcess, requests: int = 60) -> None:
    for _ in range(requests):
        assert console.status("/api/markets") == 200


def _chart(page: Page) -> Locator:
    chart = page.locator(".live-chart").filter(has_text="API latency")
    expect(chart.locator(".scatterlayer .trace").first).to_be_visible(timeout=30_000)
    return chart


def _polls(page: Page) -> list[str]:
    seen: list[str] = []

    def note(request: Request) -> None:
        if "/api/live" in request.url:
            seen.append(request.url)

    page.on("request", note)
    return seen


def _wait_polls(page: Page, count: int) -> None:
    for _ in range(count):
        with page.expect_response("**/api/live**", timeout=20_000):
            pass


def _mark(console: ConsoleProcess, text: str, ago_seconds: int) -> None:
    at = (datetime.now(UTC) - timedelta(seconds=ago_seconds)).isoformat()
    body = json.dumps({"kind": "deploy", "text": text, "at": at}).encode()
    made = urllib.request.Request(f"{console.url}/api/marks", body, {"content-type": "application/json"})
    with urllib.request.urlopen(made, timeout=10) as answer:
        assert answer.status == 201


def _zoom(page: Page, chart: Locator) -> list[str]:
    area, reset = chart.locator(".nsewdrag").first, chart.get_by_role("button", name="Reset zoom")
    for _ in range(3):  # What stands above may grow between the measuring and the drag, which then meets another place.
        expect(area).to_be_visible()
        if (plot := area.bounding_box()) is None:
            continue  # Drawn anew just now.
        middle = plot["y"] + plot["height"] / 2
        page.mouse.move(plot["x"] + plot["width"] * 0.5, middle)
        page.mouse.down()
        page.mouse.move(plot["x"] + plot["width"] * 0.9, middle, steps=8)
        page.mouse.up()
        with suppress(PlaywrightTimeoutError):
            reset.wait_for(timeout=1_500)
            break
    expect(reset).to_be_visible()
    shown: list[str] = chart.evaluate(RANGE)
    return shown


def test_a_zoom_is_kept(page: Page, console: ConsoleProcess) -> None:
    """Through refreshes, reruns of the page and Live off; Reset zoom lets the chart follow the time again."""
    polls = _polls(page)
    page.goto(console.url)
    chart = _chart(page)
    shown = _zoom(page, chart)
    database = page.locator(".live-chart").filter(has_text="Database latency")
    assert database.evaluate(RANGE) == shown  # One time axis: what is zoomed in one is zoomed in all.

    _traffic(console)
    _wait_polls(page, 3)
    page.get_by_text("Live", exact=True).click()  # runs the page again
    expect(chart).to_contain_text("not live", timeout=10_000)
    assert chart.evaluate(RANGE) == shown

    asked = len(polls)
    page.wait_for_timeout(5_000)
    assert len(polls) == asked
    assert "live=false" in page.url
    page.get_by_text("Live", exact=True).click()
    expect(chart).to_contain_text("updated", timeout=10_000)
    _wait_polls(page, 1)
    assert chart.evaluate(RANGE) == shown

    chart.get_by_role("button", name="Reset zoom").click()
    expect(chart.get_by_role("button", name="Reset zoom")).to_be_hidden()
    expect(database.get_by_role("button", name="Reset zoom")).to_be_hidden()
    assert chart.evaluate(RANGE) != shown


def test_marks_are_drawn_where_they_happened_and_move_with_a_zoom(page: Page, console: ConsoleProcess) -> None:
    """A flag over its moment and a line in a list, as the words that they are; a new one comes by itself; the zoom stays."""
    _mark(console, "1.2 <img src=x onerror=alert(1)>", 100)
    page.goto(console.url)
    chart = _chart(page)
    expect(chart.locator(".live-chart__flag")).to_have_count(1)
    wide = chart.evaluate(FLAG)
    assert 0.6 < wide < 0.72  # 200 of 300 seconds
    shown = _zoom(page, chart)
    assert abs(chart.evaluate(FLAG) - (wide - 0.5) / 0.4) < 0.05

    _mark(console, "1.3", 90)
    expect(chart.locator("summary")).to_have_text("2 marks", timeout=15_000)
    assert chart.evaluate(RANGE) == shown
    chart.locator("summary").press("Enter")
    expect(chart.locator(".live-chart__marks li").nth(1)).to_contain_text("deploy 1.2 <img src=x onerror=alert(1)> · api")
    assert chart.locator("img").count() == 0


def test_all_charts_share_one_poll_and_one_plotly(page: Page, console: ConsoleProcess) -> None:
    """All charts cost one request a refresh, and plotly.js is loaded once; the window is in the address."""
    polls, scripts = _polls(page), list[str]()
    page.on("request", lambda request: scripts.append(request.url) if "plotly-" in request.url else None)
    page.goto(f"{console.url}/?window=1h")
    _chart(page)
    expect(page.locator(".live-chart .js-plotly-plot")).to_have_count(7)
    page.wait_for_timeout(3_000)

    both = ("window=3600", "series=api_request_seconds", "series=database_query_seconds")
    assert len(scripts) == 1
    assert polls
    assert [url for url in polls if not all(part in url for part in both)] == []
    with page.expect_request("**/api/live?window=300**", timeout=10_000):
        page.get_by_text("5m", exact=True).click()
    assert "window=1h" not in page.url


def test_a_long_window_says_whose_history_it_is_and_keeps_its_zoom(page: Page, console: ConsoleProcess) -> None:
    """The day comes from the console's store, with the moment since which there is any."""
    with page.expect_request("**/api/live?window=21600&process=all**", timeout=30_000):
        page.goto(f"{console.url}/?window=6h")
    chart = page.locator(".live-chart").filter(has_text="CPU and memory in use")
    expect(chart.locator(".live-chart__state")).to_contain_text("since", timeout=90_000)
    chart.scroll_into_view_if_needed()  # What is scrolled away is not refreshed.
    expect(chart.locator(".scatterlayer .trace").first).to_be_visible(timeout=90_000)
    expect(chart.locator(".live-chart__state")).to_contain_text("1 process")

    shown = _zoom(page, chart)
    _wait_polls(page, 1)
    assert chart.evaluate(RANGE) == shown


def test_a_cut_shows_as_stale_and_heals(page: Page, console: ConsoleProcess) -> None:
    """Without an answer the chart says so, how old it is and when it tries again."""
    page.goto(console.url)
    chart = _chart(page)
    page.route("**/api/live**", lambda route: route.abort())
    state = chart.locator(".live-chart__state")
    expect(state).to_contain_text("no answer, next try", timeout=10_000)
    expect(state).to_contain_text("s old")
    expect(chart.locator(".live-chart__plot--stale")).to_be_visible()

    page.unroute("**/api/live**")
    page.route("**/api/live**", lambda route: route.fulfill(status=503, body="{}"))
    expect(state).to_contain_text("the server answered 503", timeout=20_000)
    page.unroute("**/api/live**")
    expect(state).to_contain_text("updated", timeout=40_000)
    expect(chart.locator(".live-chart__plot--stale")).to_have_count(0)


def test_the_axis_shows_the_time_of_the_browser(console: ConsoleProcess) -> None:
    """In a zone half an hour off the whole ones, the last tick is the wall clock there, not UTC and not shifted twice."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 1600}, timezone_id="Asia/Kolkata")
        page.goto(console.url)
        chart = _chart(page)
        ticks = chart.locator(".xtick text").all_text_contents()
        wall = page.evaluate("() => [0, 1, 2].map(ago => new Date(Date.now() - ago * 60000).toTimeString().slice(0, 5))")
        browser.close()

    assert {tick[:5] for tick in ticks} & set(wall)


def test_a_hidden_tab_does_not_poll(page: Page, console: ConsoleProcess) -> None:
    """Polling pauses while nobody looks, and goes on at once."""
    polls = _polls(page)
    page.goto(console.url)
    _chart(page)
    hide = "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
    hide += " document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(hide, True)
    page.wait_for_timeout(500)
    asked = len(polls)
    page.wait_for_timeout(5_000)
    assert len(polls) == asked

    page.evaluate(hide, False)
    page.wait_for_timeout(1_000)
    assert len(polls) > asked


def test_the_theme_is_followed(page: Page, console: ConsoleProcess) -> None:
    """Dark and light draw their own colours, and no text is lost on the background."""
    page.emulate_media(color_scheme="light")
    page.goto(console.url)
    light = _chart(page).evaluate(BACKGROUND)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        f"light => ({BACKGROUND})(document.querySelector('.live-chart')) !== light", arg=light, timeout=10_000
    )


def test_a_console_without_traffic_says_what_brings_some(page: Page, tmp_path: Path) -> None:
    """An empty chart is a sentence, not a blank."""
    with ConsoleProcess(tmp_path / "data") as console:
        console.wait_ready()
        page.route(
            "**/api/live**",
            lambda route: route.fulfill(json=_nothing(route.request.url), headers={"Age": "0"}),
        )
        page.goto(console.url)
        chart = page.locator(".live-chart").filter(has_text="API latency")
        expect(chart).to_contain_text("No request yet", timeout=30_000)


def _nothing(url: str) -> dict[str, object]:
    none = [None] * 150
    series = {"first_time": 1_700_000_000, "step_seconds": 2, "count": [0] * 150, "rate": [0.0] * 150}
    series.update(p50=none, p95=none, p99=none)
    return {"window_seconds": 300, "series": dict.fromkeys(parse_qs(urlsplit(url).query)["series"], series)}


def test_a_share_is_drawn_of_two_counters(console: ConsoleProcess, page: Page) -> None:
    """The cache page's hit rate: reads were made, so there is a line between 0 and 100 %."""
    page.goto(f"{console.url}/cache?period=1m")
    chart = page.locator(".live-chart").filter(has_text="Hit rate")
    chart.scroll_into_view_if_needed()
    _traffic(console)

    # Not that the line is visible: one that stays at 100 % has no height, and is none to the browser.
    values = "element => (element.querySelector('.js-plotly-plot')?.data?.[0].y ?? []).filter(value => value !== null)"
    page.wait_for_function(f"element => ({values})(element).length > 0", arg=chart.element_handle(), timeout=50_000)
    assert all(0 <= value <= 100 for value in chart.evaluate(values))
