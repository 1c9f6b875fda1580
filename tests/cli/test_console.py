"""`python -m core console` before it serves."""

from __future__ import annotations

import pytest

from core.cli.console import check_parts
from core.errors import SettingsError
from core.settings import Settings


def test_what_only_the_parts_find_is_refused_before_the_server_starts() -> None:
    """A variable that a part reads is named in one sentence, as the others are."""
    with pytest.raises(SettingsError, match="REHEARSAL_FAULTS"):
        check_parts(Settings(rehearsal_faults="429:2"))
