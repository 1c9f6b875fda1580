"""Warm plans: what ships, what an operator's own file adds or changes, and what each fault of a file is called."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from core.cache.warming.plans import WarmPlans, plan_names, read_plans
from core.database.queries import Queries
from core.errors import SettingsError, UsageError


def own(folder: Path, text: str) -> WarmPlans:
    """The plans of a console with this plans file."""
    path = folder / "plans.toml"
    path.write_text(text, encoding="utf-8")
    return read_plans(path)


def test_the_shipped_plans_can_be_read():
    """Each has a title, says where its choice comes from, and names a query that exists."""
    plans = list(read_plans())
    wanted = {"popular_markets", "lead_scoring_models", "property_search_filters", "ai_response_templates"}
    assert wanted <= {plan.name for plan in plans}
    queries = Queries()
    for plan in plans:
        assert plan.title
        assert plan.note
        assert plan.ready_by is None
        if plan.query:
            assert queries[plan.query].sql


def test_an_own_file_adds_a_plan(tmp_path):
    """Every field is read."""
    plan = own(
        tmp_path,
        '[mornings]\ntitle = "Mornings"\nkeys = ["lead:1", "/api/leads"]\nttl_seconds = 90\npriority = "low"\n'
        'order = "most_wanted"\nlimit = 7\nready_by = "08:00"\nzone = "America/Chicago"\n',
    )["mornings"]
    assert (plan.source, plan.keys, plan.ttl_seconds, plan.priority) == ("list", ("lead:1", "/api/leads"), 90.0, "low")
    assert (plan.order, plan.limit, plan.origin) == ("most_wanted", 7, str(tmp_path / "plans.toml"))
    assert str(plan.ready_by) == "08:00 America/Chicago"


def test_an_own_file_changes_only_what_it_names(tmp_path):
    """A shipped plan keeps its keys when its hour is set, and loses all of its source when another is named."""
    plans = own(tmp_path, '[top_leads]\nready_by = 07:30:00\nzone = "Europe/Berlin"\n[market_data]\nmost_missed = true\n')
    shipped = read_plans()
    assert plans["top_leads"].query == shipped["top_leads"].query
    assert plans["top_leads"].ready_by is not None
    assert plans["top_leads"].ready_by.at == time(7, 30)
    assert (plans["market_data"].source, plans["market_data"].query, plans["market_data"].keys) == ("most_missed", "", ())
    assert plans["market_data"].title == shipped["market_data"].title


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no toml", "is no TOML"),
        ("a = 1", "'a' is no plan"),
        ("[Big]\nkeys = ['lead:1']", "'Big' is no plan"),
        ("[a]\ntitle = 'x'", "says where its keys come from"),
        ("[a]\nmost_missed = true\naccess_log = 'x'", "one source beside keys"),
        ("[a]\nquery = 'market_names'", "has a `key` for the rows"),
        ("[a]\nkeys = ['lead:1']\nkey = 'lead:{id}'", "has a `key` for the rows"),
        ("[a]\nkeys = 'lead:1'\nlimit = 0", "limit is a whole number from 1 to 100,000, not 0"),
        ("[a]\nkeys = 'lead:1'\nlimit = true", "limit is a whole number"),
        ("[a]\nkeys = [1]", "keys is text or a list of texts"),
        ("[a]\nkeys = 'lead:1'\nttl_seconds = nan", "ttl_seconds is a number above 0"),
        ("[a]\nkeys = 'lead:1'\npriority = 'urgent'", "priority is one of critical, high, normal, low"),
        ("[a]\nkeys = 'lead:1'\norder = 'random'", "order is one of given"),
        ("[a]\nkeys = 'lead:1'\nmost_missed = 1", "most_missed is true or false"),
        ("[a]\nkeys = 'lead:1'\nready_by = '08:00'", "ready_by and zone belong together"),
        ("[a]\nkeys = 'lead:1'\nready_by = '8am'\nzone = 'UTC'", "'8am' is no time of a day"),
        ("[a]\nkeys = 'lead:1'\nready_by = '08:00'\nzone = 'Texas'", "'Texas' is no zone"),
        ("[a]\nkeys = 'lead:1'\ncolour = 'red'", "there is no field colour"),
    ],
)
def test_a_fault_is_named(tmp_path, text, said):
    """With the file, the plan, the field and what would be right."""
    with pytest.raises(SettingsError, match=said) as raised:
        own(tmp_path, text)
    assert "plans.toml" in str(raised.value)


def test_a_file_that_is_not_there(tmp_path):
    """The variable is named."""
    with pytest.raises(SettingsError, match="CACHE_WARM_PLANS"):
        read_plans(tmp_path / "none.toml")


def test_hours_by_setting():
    """Shipped plans get their hour without a file; a plan or a zone that does not exist is named."""
    plans = read_plans(schedule="top_leads 07:45 Europe/Berlin, market_data 08:00 UTC")
    assert [str(plan.ready_by) for plan in plans if plan.ready_by] == ["08:00 UTC", "07:45 Europe/Berlin"]
    for text, said in [("x 08:00 UTC", "'x'"), ("top_leads 08:00", "HH:MM ZONE"), ("top_leads 25:00 UTC", "'25:00'")]:
        with pytest.raises(SettingsError, match=said):
            read_plans(schedule=text)


def test_names_by_setting():
    """A list of plans; one that does not exist is named, by the setting and by a command."""
    plans = read_plans()
    assert plan_names(" top_leads,market_data ,", plans) == ("top_leads", "market_data")
    with pytest.raises(SettingsError, match="CACHE_WARM_ON_START names the plan 'x'"):
        plan_names("x", plans)
    with pytest.raises(UsageError, match="no warm plan 'x'"):
        plans["x"]
