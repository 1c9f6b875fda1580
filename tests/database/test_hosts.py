"""Hosts: what a host must be to serve a pool."""

from __future__ import annotations

import pytest

from core.database.hosts import session_attribute, standby_attribute


@pytest.mark.parametrize(
    ("url", "read_only", "wanted"),
    [
        ("postgresql://u@a/x", False, None),
        ("postgresql://u@a:1,b:2/x", False, "read-write"),
        ("postgresql://u@a:1,b:2/x", True, "primary"),
        ("postgresql://u@/x?host=/a,/b", False, "read-write"),
        ("postgresql://u@a,b/x?target_session_attrs=any", False, None),
        ("postgresql://u@a,b/x?target_session_attrs=read-write", False, None),
        ("postgresql://u@a,b/x?target_session_attrs=read-write", True, "primary"),
    ],
)
def test_several_hosts_mean_the_one_that_takes_writes(url: str, read_only: bool, wanted: str | None) -> None:
    """Unless the URL says otherwise; our own read-only sessions would never pass as read-write."""
    assert session_attribute(url, read_only=read_only) == wanted


def test_a_replica_url_with_several_hosts_means_a_standby() -> None:
    """One host is taken as it is."""
    assert standby_attribute("postgresql://u@a,b/x") == "standby"
    assert standby_attribute("postgresql://u@a/x") is None
