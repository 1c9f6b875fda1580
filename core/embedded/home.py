"""PostgresHome: where the cluster and its programs lie and who runs them; refuses to open a closed folder for that user."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from core.embedded.account import Account
from core.embedded.folder import USE_OWN_SERVERS, user_name
from core.errors import EmbeddedServerError

SYSTEM_FOLDER = Path("/var/lib")  # hier(7): state of programs; entered by every user
UNUSED_PARTS = ("include", "pgxs", "pkgconfig", "*.a")


@dataclass(frozen=True)
class PostgresHome:
    """The cluster's folder, the programs' folder, the account that runs them, and where the sockets must lie if not near."""

    cluster: Path
    programs: Path
    account: Account
    sockets: Path | None = None

    @classmethod
    def find(cls, data_folder: Path, programs: Path) -> PostgresHome:
        """The home in the data folder, or, for root where no capability can be kept, in a system folder of its own."""
        link = data_folder / "postgres"
        cluster = link.resolve()
        if link.is_symlink() and not cluster.is_dir():
            raise EmbeddedServerError(
                f"{link} leads to {cluster}, which is missing", f"Restore {cluster} or remove the link {link}."
            )
        account = Account.for_server(_owner(cluster))
        used = [programs / "bin" / "postgres", data_folder, *([cluster] if cluster.is_dir() else [])]
        for variant in account.variants():
            if variant.reaches(*used):
                return cls(cluster, programs, variant)
        return _system_home(data_folder, programs, account)

    def program(self, name: str) -> str:
        """The path of one program of PostgreSQL."""
        return str(self.programs / "bin" / name)


def _system_home(data_folder: Path, programs: Path, account: Account) -> PostgresHome:
    digest = hashlib.sha256(os.fsencode(data_folder)).hexdigest()[:16]
    home = SYSTEM_FOLDER / f"lead-platform-{digest}"
    link = data_folder / "postgres"
    cluster = link.resolve() if link.exists() else home / "postgres"
    if link.exists() and not account.reaches(cluster):
        raise EmbeddedServerError(
            f"PostgreSQL runs as {user_name(account.uid)}, which cannot reach {cluster}, and setpriv cannot help here",
            f"Install setpriv (util-linux), allow the capabilities SETPCAP and DAC_OVERRIDE, or run as another user. "
            f"{USE_OWN_SERVERS} to do without.",
        )
    home.mkdir(mode=0o711, exist_ok=True)
    if home.lstat().st_uid != os.geteuid() or home.is_symlink():
        raise EmbeddedServerError(f"{home} should be a folder of root and is not", "Remove it and start again.")
    home.chmod(0o711)
    if not account.reaches(programs / "bin" / "postgres"):
        programs = _copied(programs, home)
    return PostgresHome(cluster, programs, account, sockets=home)


def _copied(programs: Path, home: Path) -> Path:
    status = (programs / "bin" / "postgres").stat()
    package = programs.parent
    target = home / f"programs-{status.st_size}-{status.st_mtime_ns}"
    if not target.is_dir():
        staging = home / "programs.new"
        shutil.rmtree(staging, ignore_errors=True)
        unused = shutil.ignore_patterns(*UNUSED_PARTS)
        shutil.copytree(programs, staging / package.name / programs.name, symlinks=True, ignore=unused)
        libraries = package.with_name(f"{package.name}.libs")  # auditwheel's, found relative to the programs
        if libraries.is_dir():
            shutil.copytree(libraries, staging / libraries.name)
        for path in (staging, *staging.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)  # pip under a umask of 077 writes files that only root can run
        staging.replace(target)
    for older in set(home.glob("programs-*")) - {target}:
        shutil.rmtree(older, ignore_errors=True)
    return target / package.name / programs.name


def _owner(cluster: Path) -> int | None:
    try:
        return cluster.stat().st_uid
    except FileNotFoundError:
        return None
