"""The prompts page: listed, edited by two, tried side by side and on a set, found again, and without its store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from streamlit.testing.v1 import AppTest

from core import runtime
from core.claude.prompt_runs import RunFilter
from core.claude.rehearsal import Faults
from core.settings import Settings
from core.ui.prompt_editor import schema_line
from tests.pages import opened
from tests.pages.opened import open_at, press, rerun, text
from tests.servers import behind, socket_of
from tests.support import wait_until
from tests.tcp_proxy import TcpProxy

open_page = partial(open_at, "pages/prompts.py")


@contextmanager
def console(settings: Settings) -> Iterator[runtime.Running]:
    """A running console whose prompts are stored, with a rehearsal without waits."""
    with opened.console(settings) as running:
        parts = running.services.claude_parts
        parts.dials.change(first_token_seconds=0.0, tokens_per_second=float("inf"))
        wait_until(parts.prompts.seeded.is_set)
        yield running


def runs_of(running: runtime.Running, **wanted: Any) -> list[Any]:
    """The runs that were kept, newest first."""
    return list(running.gate.run(running.services.claude_parts.runs.search(RunFilter(**wanted)), 5))


def settled(app: AppTest) -> AppTest:
    """The page once more, when what ran on it is over."""
    return rerun(app)


def edit(app: AppTest, field: str, value: str, version: int = 1) -> AppTest:
    """Type into a field of the editor of the lead analysis."""
    app.text_area(key=f"edit-lead_analysis-{version}-{field}").set_value(value)
    return rerun(app)


def by_hand(app: AppTest, values: dict[str, str]) -> AppTest:
    """Write values into the fields of the market analysis."""
    for name, value in values.items():
        app.text_area(key=f"value-market_analysis-{name}").set_value(value)
    return rerun(app)


def test_prompts_are_listed_and_made(settings: Settings) -> None:
    """Who made what, which version answers; a copy under another name, put away and restored."""
    with console(settings) as running:
        app = open_page()
        assert "4 prompts, 0 with a newer version" in text(app)
        table = app.dataframe[0].value.set_index("Name")
        assert (table.loc["lead_analysis", "In use"], table.loc["lead_analysis", "By"]) == (1, "shipped")

        app.text_input(key="new_name").set_value("lead_copy")
        app.text_input(key="new_title").set_value("A copy")
        app.selectbox(key="new_like").set_value("lead_analysis")
        app = press(app, "new_make")
        assert "lead_copy is there" in text(app)
        assert "A copy: version 1 answers" in app.title[0].value
        app = press(open_page(prompt="lead_copy", show_prompt="Versions"), "prompt_archive")
        assert "in the archive" in text(app)
        listed = running.gate.run(running.services.claude_parts.prompts.list(), 5)
        assert "lead_copy" not in [one.name for one in listed]
        assert "back on the list" in text(press(app, "prompt_archive"))


def test_an_edit_outlives_sections_and_pages_and_two_who_save_get_a_version_each(settings: Settings) -> None:
    """Unsaved text stays; the second who saves is told of the first; the difference of the two; using one is apart."""
    with console(settings):
        first, second = (open_page(prompt="lead_analysis") for _ in range(2))
        first = edit(first, "system", "Judge kindly.")
        first.segmented_control(key="show_prompt").set_value("Versions")
        first = rerun(first)
        first.switch_page("pages/leads.py")
        first = rerun(first)
        first.query_params["prompt"] = "lead_analysis"
        first.switch_page("pages/prompts.py")
        rerun(first).segmented_control(key="show_prompt").set_value("Edit")
        first = rerun(first)
        assert first.text_area(key="edit-lead_analysis-1-system").value == "Judge kindly."
        assert "not saved" in text(first)
        assert "Saved as version 2, made from version 1" in text(press(first, "prompt_save"))
        second = press(edit(second, "system", "Judge harshly."), "prompt_save")
        assert "Saved as version 3" in text(second)
        assert "somebody else saved version 2" in text(second)

        app = open_page(prompt="lead_analysis", version="3", show_prompt="Versions", before="2", after="3")
        assert "Judge kindly." in text(app)
        assert "Judge harshly." in text(app)
        assert "UPDATE console.prompts SET in_use = 3" in text(app)
        assert "version 1 answers" in app.title[0].value
        assert "version 3 answers" in press(app, "prompt_use").title[0].value


def test_a_fault_is_named_with_its_line(settings: Settings) -> None:
    """JSON that is none, a word that the API does not know, a lone dollar sign; nothing of it can be saved."""
    assert (
        schema_line('{\n"type": "object",\n"properties": {"a": {\n"type": "text"}}}', "The schema at /properties/a/type cannot")
        == 4
    )
    with console(replace(settings, mode="watch")):  # Prompts are the console's own: a watched platform changes nothing.
        app = edit(open_page(prompt="lead_analysis"), "schema", '{"type": "object",\n "properties": {]}')
        assert "Line 2: The schema is no JSON" in text(app)
        assert app.button(key="prompt_save").disabled
        app = edit(app, "schema", "")
        assert not app.button(key="prompt_save").disabled
        app = edit(app, "template", "It costs $ 5")
        assert "A dollar sign stands alone" in text(app)
        assert app.button(key="prompt_save").disabled
        assert "Saved as version 2" in text(press(edit(app, "template", "It costs $$ 5"), "prompt_save"))


def test_an_address_that_names_nothing_opens_what_there_is(settings: Settings) -> None:
    """Unknown versions, texts, sources, runs and dates are no error."""
    with console(settings):
        odd = {"text": "9", "beside": "zz", "on": "Nowhere", "lead": "no such", "set": "5000", "version": "99"}
        assert "There is no lead with the id" in text(open_page(prompt="lead_analysis", show_prompt="Run", **odd))
        page = text(open_page(prompt="lead_analysis", show_prompt="History", run="99", run_since="never", run_version="0"))
        assert "There is no run 99" in page
        assert "There is no prompt" in open_page(prompt="<b>*x*").title[0].value


def test_a_draft_runs_beside_the_version_in_use(platform_rows: None, settings: Settings) -> None:
    """On one lead of the address; both are kept as one group, with times, cost, validity, and the line to copy."""
    with console(settings) as running:
        lead_id = str(running.gate.run(running.services.database.fetch_value("SELECT min(id) FROM leads"), 5))
        app = edit(open_page(prompt="lead_analysis", lead=lead_id), "system", "Judge kindly.")
        app.segmented_control(key="show_prompt").set_value("Run")
        app = settled(press(rerun(app), "prompt_run"))
        draft, used = sorted(runs_of(running), key=lambda one: one.label)
        assert (draft.label[:5], used.label, used.group_key) == ("draft", "version 1", draft.group_key)
        assert (draft.lead_id, draft.outcome, draft.schema_valid) == (lead_id, "ok", True)
        page = text(app)
        assert f"Kept as run {used.id}" in page
        assert f"Kept as run {draft.id}" in page
        assert "python -m core ask --prompt lead_analysis --version 1 --var 'lead=Budget:" in page
        assert "Passes schema and checks" in page
        assert "REHEARSAL" in page

        running.services.claude_parts.dials.change(faults=Faults(truncate=1.0))
        page = text(settled(press(app, "prompt_run")))
        assert "truncated" in page
        assert "Raise max_tokens" in page


def test_a_run_is_found_replayed_and_stopped(settings: Settings) -> None:
    """By what it says; the same values with the same text again; a stop keeps what had arrived."""
    with console(settings) as running:
        app = open_page(prompt="market_analysis", show_prompt="Run", on="By hand")
        assert "Nothing of this prompt was run yet" in text(open_page(prompt="market_analysis", show_prompt="History"))
        settled(press(by_hand(app, {"market": '"Springfield"', "figures": "[]"}), "prompt_run"))
        (run,) = runs_of(running, text="springfield")

        app = open_page(prompt="market_analysis", show_prompt="History", run_text="SPRINGFIELD", run=str(run.id))
        assert f"Run {run.id}: market_analysis, version 1" in text(app)
        assert list(app.dataframe[0].value["Run"]) == [run.id]
        app.text_input(key=f"run-note-{run.id}").set_value("the best")
        app = settled(press(rerun(app), "prompt_again"))
        again, noted = runs_of(running)
        assert (again.variables, again.answer_text, noted.note) == (run.variables, run.answer_text, "the best")
        assert "No run is like this" in text(open_page(prompt="market_analysis", show_prompt="History", run_outcome="refused"))


def test_a_set_is_estimated_run_and_reported(platform_rows: None, settings: Settings) -> None:
    """The upper bound first; then an operation, whose report another session sees."""
    with console(settings) as running:
        prompts = running.services.claude_parts.prompts
        first = running.gate.run(prompts.get("lead_analysis", 1), 5)
        running.gate.run(prompts.save(first.edited(system="Judge kindly."), based_on=1, author="anna"), 5)
        app = open_page(prompt="lead_analysis", show_prompt="Run", on="Set of leads", set="3")
        assert app.button(key="set_start").disabled
        app = press(app, "set_plan")
        assert "3 canonical forms" in text(app)
        assert "6 questions for 0.0" in text(app)
        press(app, "set_start")
        wait_until(lambda: len(runs_of(running)) == 6 and not running.services.operations.running_here())
        page = text(open_page(prompt="lead_analysis", show_prompt="Run", on="Set of leads"))
        assert "Version 2 against version 1: 3 of 3 answered against 3 of 3" in page.replace("*", "")
        assert "Intent score: +0.0 on average" in page


def test_store_down(settings: Settings, tcp_proxy: Callable[[Any], TcpProxy]) -> None:
    """The text last known can be run and edited, a save is refused with a sentence, and the run is kept later."""
    proxy = tcp_proxy(socket_of(str(settings.database_url)))
    with console(replace(settings, console_database_url=behind(proxy, str(settings.database_url)))) as running:
        values = {"market": '"Springfield"', "figures": "[]"}
        app = open_page(prompt="market_analysis", show_prompt="Run", on="By hand")
        press(by_hand(app, values), "prompt_run")  # The budget's lease outlives the store.
        app.segmented_control(key="show_prompt").set_value("Edit")
        rerun(app).text_area(key="edit-market_analysis-1-system").set_value("Be short.")
        app = rerun(app)
        proxy.cut()
        wait_until(lambda: running.services.overview.readiness().state == "not_fine")
        assert "Nothing can be saved meanwhile" in text(rerun(app))
        assert app.error == []
        assert "Nothing was saved; what you wrote stays here" in text(press(app, "prompt_save"))
        assert app.text_area(key="edit-market_analysis-1-system").value == "Be short."

        assert "Cannot tell" in open_page().title[0].value
        app = by_hand(open_page(prompt="market_analysis", show_prompt="Run", on="By hand"), values)
        assert "kept when it is back" in text(press(app, "prompt_run"))
        proxy.restore()
        wait_until(lambda: running.services.claude_parts.runs.stats().waiting == 0, timeout_seconds=20)
        late, first = runs_of(running)
        assert (late.outcome, late.answer_text) == ("ok", first.answer_text)
