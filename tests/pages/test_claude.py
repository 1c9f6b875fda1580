"""The Claude page: empty, asks with their costs and errors, each action, the store down, watched, with a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from streamlit.testing.v1 import AppTest

from core import runtime
from core.claude.rehearsal import Faults
from core.platform.lead_facts import LeadFacts
from core.settings import Settings
from tests.pages.opened import console as running_console
from tests.pages.opened import open_at, press, rerun, text
from tests.servers import behind, socket_of
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

open_page = partial(open_at, "pages/claude.py")
FACTS = LeadFacts(budget_most=450_000, property_type="condo", stage="hot", interactions=5, days_since_activity=2)


@contextmanager
def console(settings: Settings) -> Iterator[runtime.Running]:
    """A running console whose rehearsal answers at once."""
    with running_console(settings) as running:
        running.services.claude_parts.dials.change(first_token_seconds=0.0, tokens_per_second=float("inf"))
        wait_until(running.services.claude_parts.prompts.seeded.is_set)
        running.gate.run(running.services.claude_parts.client.prepare(), 20)
        yield running


def analyse(running: runtime.Running, count: int, facts: LeadFacts = FACTS) -> None:
    """Ask so often about one lead."""

    async def asks() -> None:
        subject = await running.services.subjects.described(facts)
        for _ in range(count):
            await running.services.lead_analyses.analyse(subject, operator="anna")

    running.gate.run(asks(), 20)
    running.services.monitor.fold()


def metric(app: AppTest, label: str) -> str:
    """The value of a number."""
    return str(next(item.value for item in app.metric if item.label == label))


def test_empty(settings: Settings) -> None:
    """Nothing was asked: nothing is called fine, the line says what to do, and every number is a dash."""
    with console(settings):
        app = open_page()

        assert "nothing was asked" in app.title[0].value
        assert "Leads page" in text(app)
        assert "REHEARSAL" in text(app)
        assert (metric(app, "Mean wait of people"), metric(app, "AI hit rate")) == ("—", "—")
        assert "No exchange with the API in this time." in text(app)


def test_asks_with_costs_errors_and_models(settings: Settings) -> None:
    """The numbers of the window, what each prompt cost, what a failure means, which model answers."""
    with console(settings) as running:
        analyse(running, 3)
        running.services.claude_parts.dials.change(faults=Faults(truncate=1.0))
        analyse(running, 1, replace(FACTS, budget_most=90_000))
        wait_until(lambda: running.services.claude_parts.ledger.stats().written == 2)
        app = open_page(period="1m")

        assert metric(app, "AI hit rate") == "66.6\u00a0%"
        assert metric(app, "Without an answer") == "1"
        assert "2 hit" in text(app)
        assert "4,000** of 4,000" in text(app)
        costs = app.dataframe[0].value.set_index("Prompt")
        assert list(costs.index) == ["lead_analysis", "in total"]
        assert (costs.loc["in total", "Attempts"], costs.loc["in total", "Errors"]) == (2, "1 truncated")
        app = open_page(show="Errors")
        errors = app.dataframe[0].value
        assert list(errors["Kind"]) == ["truncated"]
        assert "max_tokens" in errors["Next"][0]
        app = open_page(show="Models")
        assert app.dataframe[0].value.loc[0, ["Model", "Use", "Input"]].to_list() == ["claude-haiku-5-5", "in use", "$0.100"]


def test_background_is_held_and_claude_left_alone_by_hand(settings: Settings) -> None:
    """Each action says what it runs, changes the card and the line, and is on record."""
    with console(settings) as running:
        app = open_page()
        app.number_input(key="claude_hold_minutes").set_value(5)
        app = press(rerun(app), "claude-hold")
        scheduler = running.services.claude_parts.scheduler
        assert 290 < scheduler.stats().hold_seconds_left <= 300
        app = rerun(app)
        assert "Background work is held by local operator" in text(app)
        assert "by local operator" in text(app)
        app = press(app, "claude-release")
        assert scheduler.stats().hold_seconds_left == 0
        app = rerun(press(rerun(app), "claude-breaker"))
        assert "an operator keeps every ask from Claude" in app.title[0].value
        app = press(app, "claude-breaker")
        assert scheduler.breaker.state == "closed"
        found = running.gate.run(running.services.operations.list(kind="claude"), 5)
        assert len(found) == 4
        assert {operation.operator for operation in found} == {"local operator"}


def test_the_dials_are_turned_and_turned_back(settings: Settings) -> None:
    """What cannot be is said and not done; the fields show what is in use."""
    with console(settings) as running:
        dials = running.services.claude_parts.dials
        app = open_page(show="Dials")
        assert app.button(key="dials-turn").disabled
        app.number_input(key="dial_429").set_value(70.0)
        app.number_input(key="dial_529").set_value(40.0)
        app = rerun(app)
        assert "more than 1" in text(app)
        assert app.button(key="dials-turn").disabled
        app.number_input(key="dial_529").set_value(20.0)
        app = rerun(app)
        assert 'REHEARSAL_FAULTS="429:0.7, 529:0.2"' in text(app)
        app = press(app, "dials-turn")
        assert dials.values.faults == Faults(rate_limited=0.7, overloaded=0.2)
        assert "70.0 % 429" in text(rerun(app))
        app = rerun(press(app, "dials-reset"))
        assert dials.values == running.services.claude_operations.dials_at_start()
        assert app.number_input(key="dial_429").value == 0.0


def test_the_store_down(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """Costs as last known, said so; an action that cannot be remembered is not done, and says why."""
    proxy = tcp_proxy(socket_of(str(settings.console_database_url)))
    behind_proxy = replace(settings, console_database_url=behind(proxy, str(settings.console_database_url)))
    with console(behind_proxy) as running:
        analyse(running, 2)
        wait_until(lambda: running.services.claude_parts.ledger.stats().written == 1)
        before = metric(open_page(), "Cost today (UTC)")
        proxy.cut()
        wait_until(lambda: running.services.overview.readiness().state == "not_fine")
        analyse(running, 1, replace(FACTS, budget_most=90_000))
        wait_until(lambda: "as last known" in text(open_page()), timeout_seconds=20)
        app = open_page()

        assert metric(app, "Cost today (UTC)") == before != "—"
        app = press(app, "claude-hold")
        assert app.error
        assert running.services.claude_parts.scheduler.stats().hold_seconds_left == 0
        wait_until(lambda: "1 exchange waits to be written" in text(open_page()), timeout_seconds=20)


def test_a_watched_platform_keeps_no_answers(settings: Settings) -> None:
    """It is said beside the books; what only concerns this process may still be done."""
    with console(replace(settings, mode="watch")):
        app = open_page()

        assert "only watched (MODE=watch): answers are not kept there" in text(app)
        assert not app.button(key="claude-hold").disabled


def test_with_a_key_nothing_is_rehearsed(settings: Settings) -> None:
    """No banner, no dials, and the bar says that a key is set."""
    given = replace(settings, anthropic_api_key="sk-test", anthropic_base_url="http://127.0.0.1:9")
    with running_console(given):
        app = open_page(show="Models")

        assert "REHEARSAL" not in text(app)
        assert "the dated table of" in text(app)
        assert not any(item.key == "dials-turn" for item in app.button)
