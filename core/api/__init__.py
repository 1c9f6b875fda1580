"""The HTTP API: one list of routes for the console and for a process that serves nothing else."""

from core.api.loopback import LoopbackOnly
from core.api.routes import build_routes

__all__ = ["LoopbackOnly", "build_routes"]
