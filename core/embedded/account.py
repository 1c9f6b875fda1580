"""Account: the user that server programs run as; refuses uid 0 for PostgreSQL, which refuses it itself."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.embedded.process import ProcessIdentity
from core.errors import EmbeddedServerError

SERVER_USERS = ("postgres", "nobody")  # initdb wants a user with a name
# What lets another user reach a folder below a closed parent. The first only reads and is enough; Docker grants the other.
CAPABILITIES = ("dac_read_search", "dac_override")
PROBE_SECONDS = 10.0
REACHABLE = 'for path do test -x "$path" && test -r "$path" || exit 1; done'


@dataclass(frozen=True)
class Account:
    """A uid and gid, whether programs must switch to it, and the one capability that they keep."""

    uid: int
    gid: int
    switch: bool = False
    capability: str | None = None

    @classmethod
    def own(cls) -> Account:
        """The user of this process."""
        return cls(os.geteuid(), os.getegid())

    @classmethod
    def for_server(cls, owner_uid: int | None) -> Account:
        """The user for a server that refuses root: the owner of its data, else `postgres`, else `nobody`."""
        if os.geteuid() != 0:
            return cls.own()
        if owner_uid:
            return cls(owner_uid, _group_of(owner_uid), switch=True)
        for name in SERVER_USERS:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid, switch=True)
        raise EmbeddedServerError(
            "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody` to run it as",
            "Run the console as another user, or add one with `useradd --system postgres`.",
        )

    def variants(self) -> Iterator[Account]:
        """This account with no capability, then with each that could open the way, least power first."""
        yield self
        if self.switch and _setpriv():
            for capability in CAPABILITIES:
                yield replace(self, capability=capability)

    def reaches(self, *paths: Path) -> bool:
        """True when programs of this account can read and enter all paths."""
        if not self.switch:
            return True
        done = self.run(["/bin/sh", "-c", REACHABLE, "sh", *map(str, paths)], timeout_seconds=PROBE_SECONDS)
        return done.returncode == 0

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,
        text: str | None = None,
        output_fd: int = subprocess.DEVNULL,
        keep_fds: Sequence[int] = (),
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program to its end with `text` as its input; raises subprocess.TimeoutExpired."""
        return subprocess.run(  # noqa: S603 - our own command lines, no shell
            [*self._prefix(), *argv],
            check=False,
            input=(text or "").encode(),
            stdout=output_fd,
            stderr=output_fd,
            timeout=timeout_seconds,
            pass_fds=keep_fds,
            cwd="/",
            env=_environment(),
            umask=0o077,
            start_new_session=True,
            user=self._switch_uid,
            group=self._switch_gid,
            extra_groups=self._switch_groups,
        )

    def spawn(self, argv: Sequence[str], *, output_fd: int, keep_fds: Sequence[int]) -> ProcessIdentity:
        """Start a server in a session of its own, so that Ctrl-C in the terminal does not reach it."""
        process = subprocess.Popen(  # noqa: S603 - our own command lines, no shell
            [*self._prefix(), *argv],
            stdin=subprocess.DEVNULL,
            stdout=output_fd,
            stderr=output_fd,
            pass_fds=keep_fds,
            cwd="/",
            env=_environment(),
            umask=0o077,
            start_new_session=True,
            user=self._switch_uid,
            group=self._switch_gid,
            extra_groups=self._switch_groups,
        )
        identity = ProcessIdentity.of(process.pid)
        process.returncode = 0  # nobody waits on this object: the server may outlive us, and ProcessIdentity reaps it
        return identity or ProcessIdentity(process.pid, "")

    def _prefix(self) -> list[str]:
        if self.capability is None:
            return []
        keep = f"-all,+{self.capability}"
        # no_setuid_fixup: else access(2), which PostgreSQL asks about its own files, answers without the capability.
        return [
            _setpriv() or "setpriv",
            *(f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--no-new-privs"),
            *(f"--bounding-set={keep}", f"--inh-caps={keep}", f"--ambient-caps={keep}"),
            *("--securebits=+no_setuid_fixup", "--"),
        ]

    @property
    def _switch_uid(self) -> int | None:
        return self.uid if self.switch and self.capability is None else None

    @property
    def _switch_gid(self) -> int | None:
        return self.gid if self.switch and self.capability is None else None

    @property
    def _switch_groups(self) -> list[int] | None:
        return [] if self.switch and self.capability is None else None


def _setpriv() -> str | None:
    # Also where a service manager gives us a PATH without the system's folders: the place of the data must not depend on that.
    return shutil.which("setpriv", path=f"{os.environ.get('PATH', '')}{os.pathsep}{os.defpath}")


def _group_of(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid


def _environment() -> dict[str, str]:
    # Nothing of ours: API keys and URLs stay out of a server whose superuser can read its environment.
    inherited = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **inherited}
