"""Application: what `app.py` hands to the web server: lifespan, routes and middleware.

Owns the start and the end of the services in a process that Streamlit runs. Refuses to wait for PostgreSQL or Redis: `/readyz`
reports them.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli as command_line

from core import runtime
from core.api import LoopbackOnly, build_console_routes, build_routes
from core.errors import CoreError
from core.settings import is_loopback
from core.ui.live_chart import live_assets

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]

# The first page needs them; loaded here, nobody waits 1.9 s for them, and gc.freeze keeps them out of every collection.
PRELOADED = ("pandas", "pyarrow", "plotly.graph_objects", "plotly.io")

# Streamlit puts its own routes under this path, but not ours.
BASE_PATH = "/" + str(st.get_option("server.baseUrlPath") or "").strip("/")

routes = build_routes(runtime.get, build_console_routes(runtime.get, live_assets, BASE_PATH.rstrip("/")))
middleware = [Middleware(LoopbackOnly)]


@asynccontextmanager
async def lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
    """Start the services, serve, end them."""
    # A folder called pages/ beside the script would let a deep link run a page before app.py.
    PagesManager.uses_pages_directory = False
    _refuse_other_addresses()
    try:
        await asyncio.to_thread(runtime.get)
    except CoreError as error:
        raise SystemExit(f"{error}\n{error.next_step}") from None
    preload = asyncio.create_task(asyncio.to_thread(_preload), name="preload")
    try:
        yield {}
    finally:
        preload.cancel()
        await asyncio.to_thread(runtime.close)


def serve(host: str, port: int) -> int:
    """Run `streamlit run app.py` in this process until a signal ends it; returns the exit code."""
    os.chdir(ROOT)  # Streamlit reads .streamlit/config.toml there.
    arguments = ["run", str(ROOT / "app.py"), "--server.address", host, "--server.port", str(port)]
    try:
        command_line.main(arguments, prog_name="streamlit", standalone_mode=False)
    except (KeyboardInterrupt, click.exceptions.Abort):
        return 130
    return 0


def _refuse_other_addresses() -> None:
    address = st.get_option("server.address")
    # Without an address Streamlit binds all; under uvicorn the option means nothing and LoopbackOnly decides.
    if (address is None and "uvicorn" not in sys.argv[0]) or (address is not None and not is_loopback(str(address))):
        raise SystemExit(
            f"The console does not listen on {address or 'all addresses'}: no access control is configured.\n"
            "Leave --server.address at 127.0.0.1 and reach it through an SSH tunnel."
        )


def _preload() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
