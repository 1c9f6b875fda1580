"""The HTTP API: one list of routes for the console and for a process that serves nothing else."""

from core.api.assets import Asset
from core.api.live import build_console_routes
from core.api.loopback import LoopbackOnly
from core.api.routes import build_routes

__all__ = ["Asset", "LoopbackOnly", "build_console_routes", "build_routes"]
