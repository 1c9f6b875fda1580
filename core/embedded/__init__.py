"""Embedded servers: PostgreSQL and Redis started from wheels when no URL names a server.

The first process that asks starts the server, others attach, the last that leaves stops it; the data in the data folder
outlives them all.
"""

from core.embedded.postgres import MAX_CONNECTIONS, EmbeddedPostgres, processors
from core.embedded.process import ProcessState
from core.embedded.redis import EmbeddedRedis
from core.embedded.server import EmbeddedServer

__all__ = ["MAX_CONNECTIONS", "EmbeddedPostgres", "EmbeddedRedis", "EmbeddedServer", "ProcessState", "processors"]
