"""The plan: its bounds, and where a load may go."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import TargetError, UsageError
from core.load.plan import Address, LoadPlan, base_url, require_address, require_platform
from core.settings import Settings

HERE = Address("http", "127.0.0.1", 8501)


def _plan(**values: Any) -> LoadPlan:
    return LoadPlan(**{"address": HERE, "users": 10, "think_seconds": 1.0, "duration_seconds": 10.0, **values})


@pytest.mark.parametrize(
    "values",
    [
        {"users": 0},
        {"users": 2_001},
        {"users": -5},
        {"think_seconds": 0.0},
        {"think_seconds": 601.0},
        {"think_seconds": float("nan")},
        {"duration_seconds": 0.5},
        {"duration_seconds": 3_601.0},
        {"duration_seconds": float("inf")},
        {"seed": -1},
        {"users": 2_000, "think_seconds": 0.1, "duration_seconds": 3_600.0},
    ],
)
def test_what_is_out_of_bounds_is_refused(values: dict[str, Any]) -> None:
    """Too few, too many, not a number, and more requests than one run makes."""
    with pytest.raises(UsageError) as caught:
        _plan(**values)

    assert caught.value.next_step


@pytest.mark.parametrize("values", [{"users": 1}, {"users": 2_000}, {"think_seconds": 0.1}, {"duration_seconds": 3_600.0}])
def test_the_bounds_themselves_are_allowed(values: dict[str, Any]) -> None:
    """1 and 2,000 users, 0.1 s and an hour."""
    assert _plan(**values).target_rate > 0


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("http://127.0.0.1:8501", HERE),
        (" http://127.0.0.1:8501/ ", HERE),
        ("http://[::1]:8501", Address("http", "::1", 8501)),
        ("https://api.example/platform/", Address("https", "api.example", 443, "/platform")),
    ],
)
def test_base_urls(url: str, parsed: Address) -> None:
    """Scheme, host, port and the path before the routes; the parts make the URL again."""
    assert Address.parse(url) == parsed
    assert Address.parse(parsed.url) == parsed


@pytest.mark.parametrize(
    "url",
    [
        "",
        "8501",
        "127.0.0.1:8501",
        "ftp://127.0.0.1",
        "http://",
        "http://h:99999",
        "http://h?a=1",
        "http://a:b@h",
        "http://h/a b",
    ],
)
def test_what_is_no_base_url_is_refused(url: str) -> None:
    """Before anything is connected."""
    with pytest.raises(UsageError):
        Address.parse(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_this_machine_may_be_loaded(host: str) -> None:
    """A loopback address needs no name."""
    require_address(Settings(), Address("http", host, 80), None)


@pytest.mark.parametrize("typed", [None, "", "local", "example"])
def test_another_host_asks_for_its_name(typed: str | None) -> None:
    """The refusal says what to type, and the right name allows it."""
    address = Address.parse("http://api.example:8080")

    with pytest.raises(TargetError) as caught:
        require_address(Settings(), address, typed)

    assert caught.value.next_step == "Type its name to allow it: api.example"
    require_address(Settings(), address, "api.example")


def test_a_watched_platform_asks_for_its_name_in_any_mode() -> None:
    """Reads are load too; the mode alone neither allows nor forbids them."""
    settings = Settings(database_url="postgresql://ann:geheim@db.example/platform")

    with pytest.raises(TargetError, match=r"db\.example/platform"):
        require_platform(settings, None)
    require_platform(settings, "db.example/platform")
    require_platform(Settings(), None)


def test_the_console_is_the_default() -> None:
    """HOST and PORT of the settings."""
    assert base_url(Settings(host="::1", port=8600)) == "http://[::1]:8600"
