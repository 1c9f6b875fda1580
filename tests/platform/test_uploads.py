"""Uploads: private, bounded in time, and gone with their process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from core.errors import ImportFileError
from core.platform.uploads import KEPT_SECONDS, REJECTED_KEPT, Uploads


async def test_an_upload_is_private_and_goes_at_the_end(tmp_path: Path) -> None:
    """Only its owner may read it, whatever its name says, and closing removes it."""
    uploads = Uploads(tmp_path)
    path = uploads.save("../../etc/pass wd.csv", b"a,b\n")
    assert path.parent == tmp_path / "uploads"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    await uploads.close()
    assert not path.exists()


async def test_what_others_left_behind_goes_at_the_start(tmp_path: Path) -> None:
    """Files of processes that have ended; those of a living one stay."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    for name in ("999999999-1-old.csv", "stray.csv", "1-2-of-another.csv", f"{os.getpid()}-3-mine.csv"):
        (folder / name).touch()
    await Uploads(tmp_path).open()
    assert [path.name for path in folder.iterdir()] == ["1-2-of-another.csv"]


def test_an_upload_that_nobody_imports_goes_after_an_hour(tmp_path: Path) -> None:
    """The next upload tidies up."""
    uploads = Uploads(tmp_path)
    old = uploads.save("old.csv", b"x")
    past = time.time() - KEPT_SECONDS - 1
    os.utime(old, (past, past))
    uploads.save("new.csv", b"x")
    assert not old.exists()


def test_only_our_own_rejected_files_are_handed_out(tmp_path: Path) -> None:
    """No other path of the machine reaches a browser, and the oldest go."""
    uploads = Uploads(tmp_path)
    path = uploads.rejected_path("a.csv.gz")
    path.touch()
    assert uploads.rejected_file(str(path)) == path
    assert uploads.rejected_file("/etc/passwd") is None
    assert uploads.rejected_file(str(tmp_path / "rejected" / ".." / "secret")) is None
    assert uploads.rejected_file(None) is None
    for _ in range(REJECTED_KEPT + 5):
        uploads.rejected_path("b.csv").touch()
    assert len(list(path.parent.iterdir())) <= REJECTED_KEPT


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "uploads").touch()
    with pytest.raises(ImportFileError) as raised:
        Uploads(tmp_path).save("a.csv", b"x")
    assert "Make room" in raised.value.next_step
