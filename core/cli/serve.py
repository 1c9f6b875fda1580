"""`python -m core serve`: the API alone, in as many processes as are wanted."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import uvicorn

from core.cli.console import check_parts, check_port
from core.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedServer
from core.errors import SettingsError
from core.settings import Settings

DEFAULT_PORT = 8500
MAX_WORKERS = 64
# A worker that is told to stop lets its requests end; none of them takes longer than the database's command timeout.
SHUTDOWN_SECONDS = 3


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = commands.add_parser("serve", help="serve the HTTP API without the console")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"default {DEFAULT_PORT}; the address is HOST")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal ends it; this process holds the embedded servers for its workers."""
    settings = Settings.from_env()
    if not 1 <= options.workers <= MAX_WORKERS:
        raise SettingsError(f"--workers is from 1 to {MAX_WORKERS}.")
    check_parts(settings)
    check_port(settings.host, options.port, "python -m core serve --port {port}")
    held = _hold(settings)
    sys.stderr.write(f"The API answers on http://{settings.host}:{options.port}  (Ctrl-C ends it)\n")
    try:
        uvicorn.run(
            "core.api.serve:app",
            host=settings.host,
            port=options.port,
            workers=options.workers,
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    except KeyboardInterrupt:
        return 130
    finally:
        for server in held:
            server.release()
    return 0


def _hold(settings: Settings) -> list[EmbeddedServer]:
    """Start or attach to the embedded servers that the settings ask for, so that workers may come and go."""
    servers: list[EmbeddedServer] = []
    if settings.database_embedded or settings.console_store_embedded:
        servers.append(EmbeddedPostgres(settings.data_dir))
    if settings.redis_embedded:
        servers.append(EmbeddedRedis(settings.data_dir))
    for server in servers:
        server.ensure()
    return servers
