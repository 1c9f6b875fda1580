"""Operator: who works at this terminal, for the record of operations."""

from __future__ import annotations

import getpass
import socket


def operator() -> str:
    """`cli <user>@<host>`."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # A container may run as a user without a name.
        user = "unknown"
    return f"cli {user}@{socket.gethostname()}"
