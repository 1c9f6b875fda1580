"""SocketFolder: the private folder of a server's Unix socket; refuses one that somebody else made."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from core.embedded.folder import make_private_folder, user_name
from core.errors import EmbeddedServerError

MAX_SOCKET_BYTES = 107  # sun_path less its final NUL, unix(7)
TEMPORARY = Path("/tmp")  # noqa: S108 - the folder made in it is private and its owner is verified
PLAIN = re.compile(r"[A-Za-z0-9/._ +=@~-]+")  # URL parsers and unix_socket_directories take commas and colons apart


class SocketFolder:
    """Where the socket of one server of one data folder lies: in the data folder if its name is short enough."""

    def __init__(self, data_folder: Path, stem: str, file_name: str) -> None:
        self._near = data_folder / f"{stem}-socket"
        self._file_name = file_name
        digest = hashlib.sha256(os.fsencode(data_folder)).hexdigest()[:16]
        self._short_name = f"lead-platform-{digest}-{stem}"

    def locate(self, recorded: str | None, home: Path | None = None) -> Path:
        """The folder to use; the recorded one wins while it exists, for processes with another environment.

        `home` is the only place for a server that cannot reach the data folder.
        """
        if home is not None:
            return home / self._short_name
        if recorded is not None:
            # A copied data folder carries the record of the original: only a name made for this folder counts.
            made_for_this = recorded == str(self._near) or Path(recorded).name == self._short_name
            if made_for_this and Path(recorded).is_dir() and self._fits(Path(recorded)):
                return Path(recorded)
        return self._candidates()[0]

    def socket(self, folder: Path) -> Path:
        """The socket's own path."""
        return folder / self._file_name

    def make(self, folder: Path, uid: int, gid: int) -> None:
        """Make the folder for the server's user and clear what a dead server left; raises EmbeddedServerError."""
        if folder == self._near:
            make_private_folder(folder, uid, gid)
        else:
            self._make_outside(folder, uid, gid)
        # PostgreSQL refuses to start over a socket lock whose recorded pid lives again as another process.
        for name in (self._file_name, self._file_name + ".lock"):
            (folder / name).unlink(missing_ok=True)

    def _make_outside(self, folder: Path, uid: int, gid: int) -> None:
        try:
            folder.mkdir(mode=0o700)
            if uid != os.geteuid():
                os.chown(folder, uid, gid)
        except FileExistsError:
            pass
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != uid or stat.S_IMODE(status.st_mode) != 0o700:
            raise EmbeddedServerError(
                f"{folder} should be a private folder of {user_name(uid)} for sockets, and it is not",
                "Remove it, or set DATA_DIR to a shorter path.",
            )

    def _candidates(self) -> list[Path]:
        fitting = [path for path in (self._near, *self._outside()) if self._fits(path)]
        return fitting or [TEMPORARY / self._short_name]

    def _outside(self) -> list[Path]:
        # /tmp first: systemd removes XDG_RUNTIME_DIR at logout, under a server that tmux or nohup keeps alive.
        runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
        places = [TEMPORARY, runtime] if runtime.is_absolute() and runtime.is_dir() else [TEMPORARY]
        return sorted((place / self._short_name for place in places), key=_taken_by_other)

    def _fits(self, folder: Path) -> bool:
        socket = self.socket(folder)
        return len(os.fsencode(socket)) <= MAX_SOCKET_BYTES and PLAIN.fullmatch(str(socket)) is not None


def _taken_by_other(folder: Path) -> bool:
    try:
        return os.geteuid() not in (0, folder.lstat().st_uid)
    except OSError:
        return False
