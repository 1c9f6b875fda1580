"""`python -m core console`: the operator console on HOST and PORT of the settings."""

from __future__ import annotations

import argparse
import errno
import socket
import sys
from typing import Any

from core.errors import CoreError, SettingsError
from core.settings import Settings


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = commands.add_parser("console", help="run the operator console")
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    settings = Settings.from_env()
    check_parts(settings)
    check_port(settings.host, settings.port, "PORT={port} make run")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    sys.stderr.write(f"The console opens on http://{host}:{settings.port}  (Ctrl-C ends it)\n")
    sys.stderr.flush()
    from core import ui  # noqa: PLC0415 - loads Streamlit, which the other commands need not wait for

    return ui.serve(settings.host, settings.port)


def check_parts(settings: Settings) -> None:
    """Raise the SettingsErrors that only the parts find: in a server that starts they would come with a traceback."""
    from core.services import build_services  # noqa: PLC0415 - loaded by what is started now anyway

    build_services(settings)


def check_port(host: str, port: int, otherwise: str) -> None:
    """Raise CoreError when the port is taken, SettingsError when it cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CoreError(
                    f"Port {port} of {host} is taken by another program.",
                    f"It may be another one of these; or choose another port: {otherwise.replace('{port}', str(port + 1))}",
                ) from error
            raise SettingsError(f"{host} and port {port} cannot be bound: {error.strerror}.") from error
