"""A page opened in AppTest over a running console, as an operator opens it by its address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamlit.testing.v1 import AppTest

from core import runtime
from core.services import build_services
from core.settings import Settings
from tests.support import wait_until

ROOT = Path(__file__).parents[2]


@contextmanager
def console(settings: Settings) -> Iterator[runtime.Running]:
    """A running console."""
    with runtime.use(build_services(settings)) as running:
        wait_until(running.services.setup.finished.is_set)
        yield running


def open_at(page: str, **query: str) -> AppTest:
    """A page as an address opens it."""
    app = AppTest.from_file(ROOT / "app.py", default_timeout=30).run()
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(page)
    return rerun(app)


def rerun(app: AppTest) -> AppTest:
    """One more run, which raises nothing."""
    app.run()
    assert not app.exception
    return app


def press(app: AppTest, key: str) -> AppTest:
    """Press a button."""
    app.button(key=key).click()
    return rerun(app)


def text(app: AppTest) -> str:
    """All words of the page, without the signs that keep them from being formatted."""
    kinds = (app.title, app.markdown, app.caption, app.error, app.warning, app.success, app.info, app.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")
