"""Folder: checks and makes what lies in the data folder; refuses folders of others and never touches a parent."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from core.embedded.deadline import Deadline
from core.embedded.record import try_lock
from core.errors import EmbeddedServerError

USE_OWN_SERVERS = "Set DATABASE_URL and REDIS_URL to servers of your own"
FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def prepare_data_folder(path: Path) -> None:
    """Make the data folder (0700) or check that it is ours and can be written; raises EmbeddedServerError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = path.stat().st_uid
    if owner != os.geteuid():
        raise EmbeddedServerError(
            f"the data folder {path} belongs to {user_name(owner)}, and this process runs as {user_name(os.geteuid())}",
            f"Run as {user_name(owner)}, or set DATA_DIR to a folder of your own.",
        )
    if not os.access(path, os.W_OK | os.X_OK):
        raise OSError(errno.EACCES, "cannot be written", str(path))


@contextlib.contextmanager
def explained(server: str, folder: Path) -> Iterator[None]:
    """Turn an OSError of the block into the EmbeddedServerError that says what to do."""
    try:
        yield
    except OSError as error:
        place = error.filename or folder
        if error.errno in FULL:
            raise disk_full(server, folder) from error
        if error.errno in FORBIDDEN:
            raise EmbeddedServerError(
                f"{server} cannot use {place}: {os.strerror(error.errno or 0).lower()}",
                f"Make {folder} writable for {user_name(os.geteuid())}, or set DATA_DIR to another folder. "
                f"{USE_OWN_SERVERS} to do without.",
            ) from error
        raise EmbeddedServerError(f"{server} cannot use {place}: {error}", "Correct the folder and start again.") from error


def disk_full(server: str, folder: Path) -> EmbeddedServerError:
    """The error for a disk without space: which folder, and how much is free."""
    return EmbeddedServerError(
        f"{server} has no space left in {folder}: {free_megabytes(folder)} MB are free",
        f"Free some space there, or set DATA_DIR to a folder on another disk. {USE_OWN_SERVERS} to do without.",
    )


def free_megabytes(folder: Path) -> int:
    """Space that this user may still fill on the disk of `folder`."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    return shutil.disk_usage(existing).free // 2**20


def make_private_folder(path: Path, uid: int, gid: int) -> None:
    """Make a folder of mode 0700 that belongs to `uid`, or give back that mode to one that does."""
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "is not a folder", str(path))
    if status.st_uid != uid:
        os.chown(path, uid, gid, follow_symlinks=False)
    if stat.S_IMODE(status.st_mode) != 0o700:
        path.chmod(0o700)


@contextlib.contextmanager
def claimed(folder: Path, deadline: Deadline) -> Iterator[int]:
    """Lock the folder for a server, which inherits the descriptor and so keeps the lock while any of its processes lives.

    So the lock shows what pids cannot: backends that outlive a killed postmaster, and a server in another container.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not deadline.wait_for(lambda: try_lock(fd)):
            raise EmbeddedServerError(
                f"a process that cannot be identified still works in {folder}; perhaps a server in another container",
                f"See who it is with `fuser {folder}`, stop it there, then try again.",
            )
        yield fd
    finally:
        os.close(fd)


def is_claimed(folder: Path) -> bool:
    """True when a process has the folder claimed."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not try_lock(fd)
    finally:
        os.close(fd)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def user_name(uid: int) -> str:
    """The name of a user, or its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
