"""Making a mark by hand: the line to copy, what was made, what cannot be made, and the marks of the window."""

from __future__ import annotations

from datetime import UTC, datetime

from streamlit.testing.v1 import AppTest

from core.monitor.marks.mark import Mark
from core.settings import Settings
from core.ui.marks_panel import _told
from tests.pages.opened import console, press, rerun, text
from tests.servers import fetch_value


def _page() -> None:
    from core.ui.marks_panel import mark_button  # noqa: PLC0415 - AppTest runs these lines alone
    from core.ui.session import enter  # noqa: PLC0415

    enter()
    mark_button()


def test_a_path_leads_to_no_other_host() -> None:
    """Whatever its first part looks like; an address of the web stays as it is."""
    for link, address in (
        ("/https://evil.example", "./https://evil.example"),
        ("/javascript:alert(1)", "./javascript:alert%281%29"),
        ("/activity?id=1", "./activity?id=1"),
        ("https://example.com/1", "https://example.com/1"),
    ):
        told = _told(Mark(key="mark:1", kind="note", text="x", at=0.0, link=link), datetime.now(UTC))
        assert told.endswith(f" [open]({address})")


def test_a_mark_is_made_by_hand(settings: Settings, database_url: str) -> None:
    """Shown at once in the list, as the words that they are; nothing is made of nothing."""
    with console(settings):
        app = AppTest.from_function(_page, default_timeout=30)
        app.session_state["mark"] = True  # As a press on the button leaves it.
        rerun(app)
        assert "python -m core mark 'what happened' --kind change" in text(app)
        assert "No mark yet." in text(app)
        app.text_input(key="mark-text").set_value("It's **1.2**")
        app.selectbox(key="mark-ago").set_value("15 minutes ago")
        rerun(app)
        assert """python -m core mark 'It'"'"'s **1.2**' --kind change --at """ in text(app)

        app.selectbox(key="mark-ago").set_value("Now")
        press(app, "mark-set")
        assert [toast.value for toast in app.toast] == ["The mark is on the charts."]
        assert "It's **1.2** · local operator" in text(app)
        press(app, "mark-set")
        assert "1 to 200 characters" in text(app)
    assert fetch_value(database_url, "SELECT string_agg(kind || text, ',') FROM console.marks") == "changeIt's **1.2**"
