"""Settings: what is read, what is refused, what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import Settings, is_loopback, masked


def test_nothing_set_means_embedded_servers_that_may_be_changed() -> None:
    """Without a variable the console stands on its own servers in mode operate."""
    settings = Settings.from_env({}, dotenv=None)

    assert settings == Settings()
    assert (settings.database_embedded, settings.redis_embedded, settings.effective_mode) == (True, True, "operate")


def test_a_watched_database_is_only_watched_by_default() -> None:
    """An external database is somebody's production: nothing is changed there unless MODE says so."""
    assert Settings(database_url="postgresql://db/x").effective_mode == "watch"
    assert Settings(database_url="postgresql://db/x", mode="operate").effective_mode == "operate"


def test_the_environment_wins_over_the_file_also_with_an_empty_value(tmp_path: Path) -> None:
    """`.env` gives defaults; a variable of the process replaces it, and an empty one takes it away."""
    file = tmp_path / ".env"
    file.write_text("PORT=9000\nENVIRONMENT=from file\nREDIS_URL=redis://elsewhere\n")

    settings = Settings.from_env({"PORT": "9001", "REDIS_URL": ""}, dotenv=file)

    assert (settings.port, settings.environment, settings.redis_url) == (9001, "from file", None)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "eighty"), ("PORT", "0"), ("PORT", "70000"), ("MODE", "destroy"), ("HOST", "0.0.0.0"), ("HOST", "example.com"),
        ("DATABASE_URL", "mysql://x"), ("DATABASE_URL", "no url"), ("DATABASE_URL", "postgresql://h:port/x"), ("REDIS_URL", "http://x"),
        ("DATABASE_POOL_MAX", "0"), ("HEALTH_INTERVAL_SECONDS", "0"), ("SAMPLE_DATA", "perhaps"), ("SAMPLE_LEADS", "-1"),
        ("DATABASE_POOL_MAX", "many"), ("DATABASE_POOL_MIN", "-1"), ("CLAUDE_TIMEOUT_SECONDS", "inf"),
        ("CLAUDE_BUDGET_DAY_USD", "nan"), ("CLAUDE_BUDGET_OPERATOR_DAY_USD", "-1"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_work_is_refused_by_the_variables_name(variable: str, value: str) -> None:
    """The message names the variable, so that the operator knows what to correct."""
    with pytest.raises(SettingsError, match=variable):
        Settings.from_env({variable: value}, dotenv=None)


def test_secrets_are_neither_in_repr_nor_in_what_is_shown() -> None:
    """Passwords and keys stay out of logs and pages."""
    settings = Settings(
        database_url="postgresql://ann:geheim@db:5432/x", redis_url="redis://:geheim@r", anthropic_api_key="geheim"
    )

    assert "geheim" not in repr(settings)
    assert masked("postgresql://ann:geheim@db:5432/x?password=geheim") == "postgresql://db:5432/x"
    assert masked("postgresql://ann:geheim@/x?host=/run/pg&password=geheim") == "postgresql:///run/pg/x"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False),
    ],
)  # fmt: skip
def test_loopback_is_told_from_other_addresses(host: str, loopback: bool) -> None:
    """Only addresses that no other machine can reach count as loopback."""
    assert is_loopback(host) is loopback


def test_a_url_may_name_several_hosts() -> None:
    """Each with its own port, or none; a port that is no number is refused in any of them."""
    several = Settings(database_url="postgresql://user:secret@a:5432,b,127.0.0.1:5433/x")

    assert masked(str(several.database_url)) == "postgresql://a:5432,b,127.0.0.1:5433/x"
    assert masked(str(Settings(database_url="postgresql://user@[::1]:5433/x").database_url)) == "postgresql://[::1]:5433/x"
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        Settings(database_url="postgresql://user@a:5432,b:port/x")
    with pytest.raises(SettingsError, match="DATABASE_POOLER"):
        Settings.from_env({"DATABASE_POOLER": "session"}, dotenv=None)
