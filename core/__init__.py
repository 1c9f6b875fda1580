"""The performance layer of the lead platform: servers, cache, database, Claude and monitor behind one `Services`.

Start at `core.services.build_services`; the map of the package is in `docs/architecture.md`.
"""

__version__ = "0.1.0"
