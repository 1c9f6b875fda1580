"""Hosts: which of the hosts in a URL a connection may be made to.

A URL may name several (`postgresql://user@a:5432,b:5432/platform`); asyncpg tries them in this order and leaves those that lack
the wanted session attribute (libpq, "target_session_attrs").
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import parse_qs, urlsplit

SessionAttribute = Literal["any", "primary", "standby", "read-write", "read-only", "prefer-standby"]


def has_several_hosts(url: str) -> bool:
    """Whether the URL names more than one host."""
    parts = urlsplit(url)
    return "," in parts.netloc.rpartition("@")[2] or any("," in hosts for hosts in parse_qs(parts.query).get("host", []))


def session_attribute(url: str, *, read_only: bool) -> SessionAttribute | None:
    """What a host must be to serve a pool; None leaves it to the URL.

    A session that we make read-only ourselves would never pass as read-write, so such a pool asks for the primary.
    """
    wanted = parse_qs(urlsplit(url).query).get("target_session_attrs", [""])[0]
    if read_only and wanted == "read-write":
        return "primary"
    if not wanted and has_several_hosts(url):
        return "primary" if read_only else "read-write"
    return None


def standby_attribute(url: str) -> SessionAttribute | None:
    """What a host must be to serve reads that may be late; None leaves it to the URL."""
    wanted = parse_qs(urlsplit(url).query).get("target_session_attrs")
    return "standby" if has_several_hosts(url) and not wanted else None
