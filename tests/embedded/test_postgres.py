"""PostgreSQL runs with the settings that the console promises."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from core.embedded import EmbeddedPostgres
from core.embedded.postgres import memory_settings
from tests.embedded.clients import query
from tests.embedded.console import Console


@pytest.fixture
def postgres(data_dir: Path) -> EmbeddedPostgres:
    """A running server."""
    server = EmbeddedPostgres(data_dir)
    server.ensure()
    return server


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("listen_addresses", ""),
        ("shared_preload_libraries", "pg_stat_statements"),
        ("compute_query_id", "on"),
        ("track_io_timing", "on"),
        ("jit", "off"),
        ("timezone", "UTC"),
        ("log_min_duration_statement", "1s"),
        ("max_connections", "100"),
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("server_encoding", "UTF8"),
    ],
)
def test_setting(shared_postgres, name, value):
    """Each setting has its value in the running server."""
    assert query(shared_postgres, f"SHOW {name}") == value


@pytest.fixture(scope="module")
def shared_postgres(tmp_path_factory: pytest.TempPathFactory):
    """The URL of one server for the tests that only read."""
    path = tmp_path_factory.mktemp("shared") / "data"
    server = EmbeddedPostgres(path)
    yield server.ensure()
    server.release()


def test_statements_are_counted(shared_postgres):
    """pg_stat_statements is installed in the database `platform` and counts."""
    assert query(shared_postgres, "SELECT count(*) > 0 FROM pg_stat_statements")


def test_role_is_a_superuser(shared_postgres):
    """The role `platform` may build indexes, cancel queries and make extensions."""
    assert query(
        shared_postgres, "SELECT current_user || current_database() || rolsuper FROM pg_roles WHERE rolname = current_user"
    ) == ("platformplatformtrue")


def test_text_sorts_alike_everywhere(shared_postgres):
    """The collation is the built-in one, which no upgrade of the system's library can change."""
    assert (
        query(shared_postgres, "SELECT datlocprovider::text || datlocale FROM pg_database WHERE datname = 'platform'")
        == "bC.UTF-8"
    )


def test_no_network(postgres):
    """The server listens on its Unix socket only."""
    process = psutil.Process(postgres.process_state().pid)
    assert [connection for connection in process.net_connections("inet") if connection.status == psutil.CONN_LISTEN] == []


def test_keys_stay_out_of_its_environment(data_dir):
    """The server does not inherit the console's API key, which its superuser could read."""
    with Console(EmbeddedPostgres, data_dir, environment={"ANTHROPIC_API_KEY": "secret"}) as console:
        console.ask("ensure")
        assert "ANTHROPIC_API_KEY" not in psutil.Process(console.ask("pid")).environ()


def test_foreign_variables_do_not_mislead_it(data_dir):
    """PostgreSQL's own variables in the environment of the console change nothing."""
    with Console(
        EmbeddedPostgres, data_dir, environment={"PGDATA": "/nowhere", "PGUSER": "other", "LC_ALL": "xx_XX"}
    ) as console:
        assert query(console.ask("ensure"), "SHOW lc_messages") == "C"


def test_session_settings_can_be_overridden(postgres):
    """ALTER DATABASE still changes what a session may change."""
    query(postgres.url, "ALTER DATABASE platform SET random_page_cost = 3")
    assert query(postgres.url, "SHOW random_page_cost") == "3"


def test_memory_is_a_share_of_the_machine():
    """shared_buffers takes at most a quarter of the memory and never more than 512 MB."""
    megabytes = int(memory_settings()["shared_buffers"].removesuffix("MB"))
    assert 16 <= megabytes <= min(512, psutil.virtual_memory().total // 2**20 // 4)
