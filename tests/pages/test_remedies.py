"""The remedies on the alerts page: what each does, a dry run, a run by hand with its end, a switch, and a refusal."""

from __future__ import annotations

from functools import partial

from core.settings import Settings
from tests.pages.opened import console, open_at, press, rerun, text
from tests.servers import fetch_value
from tests.support import wait_until

open_page = partial(open_at, "pages/alerts.py")


def test_the_remedies(settings: Settings) -> None:
    """Four cards; a dry run changes nothing, a run needs a reason and says what came of it, a switch is kept."""
    with console(settings) as running:
        remedies = running.services.remedies
        app = open_page()
        shown = text(app)
        for status in remedies.view().remedies:
            assert status.remedy.does in shown
            assert status.remedy.why in shown
        assert shown.count("It has not run yet.") == 4

        press(app, "remedy-dry-spare_claude")
        assert "It would do this. No route and no query has enough samples" in text(app)
        assert "no background ask of Claude waits or is under way" in text(app)
        press(app, "remedy-dry-end_idle_transactions")
        assert "It would do nothing. No session that harms others has been idle in a transaction for 60 s." in text(app)
        assert remedies.view().remedies[1].runs == ()

        press(app, "remedy-run-spare_claude")
        assert "The reason is missing" in text(app)
        app.text_input(key="remedy-why-spare_claude").set_value("slow since noon")
        press(rerun(app), "remedy-run-spare_claude")
        wait_until(lambda: [run.phase for run in remedies.view().remedies[1].runs] == ["over"])
        shown = text(rerun(app))
        assert "local operator: slow since noon" in shown
        assert "Nothing was changed, so there is nothing to compare." in shown
        assert "cannot tell" in shown

        app.text_input(key="remedy-switch-why-shrink_memory").set_value("it is needed")
        press(rerun(app), "remedy-switch-shrink_memory")
        assert "Why only by hand: local operator: it is needed" in text(app)
        stored = "SELECT document ->> 'automatic' FROM console.remedies WHERE remedy = 'shrink_memory'"
        wait_until(lambda: fetch_value(str(settings.console_database_url), stored) == "false")
