"""The target rule: the embedded database is free, any other asks for its name."""

from __future__ import annotations

import pytest

from core.errors import TargetError
from core.settings import Settings
from core.target import require_target

URL = "postgresql://ann:geheim@db.example/platform"


def test_the_embedded_database_asks_for_nothing() -> None:
    """Sample data may be changed at will."""
    require_target(Settings(), None)


def test_a_watched_database_is_refused_whatever_is_typed() -> None:
    """Mode watch is not overcome by a name."""
    with pytest.raises(TargetError, match="MODE=watch"):
        require_target(Settings(database_url=URL), "db.example/platform")


@pytest.mark.parametrize("typed", [None, "", "local", "production"])
def test_another_database_asks_for_its_name(typed: str | None) -> None:
    """The refusal names what to type, without the password."""
    with pytest.raises(TargetError) as caught:
        require_target(Settings(database_url=URL, mode="operate"), typed)

    assert caught.value.next_step == "Type its name to allow it: db.example/platform"


def test_the_right_name_allows_it() -> None:
    """The host and database, or ENVIRONMENT where it is set."""
    require_target(Settings(database_url=URL, mode="operate"), " db.example/platform ")
    require_target(Settings(database_url=URL, mode="operate", environment="staging"), "staging")
