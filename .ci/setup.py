"""The set-up behind the Makefile: keeps .venv in step with the requirements files, and removes .data when asked.

Standard library only, because it runs before anything is installed. One set-up at a time: the others wait on a lock that
pip holds too. A stamp is written after a set-up has ended well and carries the content that it was made from; a set-up that
was interrupted leaves its marker and is started anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
MADE = VENV / ".made"
INSTALLING = VENV / ".installing"
OLDEST = (3, 11)
HEARTBEAT_SECONDS = 10.0

FILES = {
    "run": ("requirements.txt", "constraints.txt"),
    "dev": ("requirements-dev.txt", "requirements.txt", "constraints.txt"),
}
DOWNLOAD = {"run": 165, "dev": 250}  # MB of wheels, as measured on Linux
NEEDED_FOR = {"run": "what the console needs", "dev": "what tests and checks need"}


def main(arguments: list[str]) -> int:
    """`run` or `dev` set up .venv; `clean-data` removes the embedded servers' data."""
    if sys.version_info < OLDEST:
        return fail(f"Python {'.'.join(map(str, OLDEST))} or newer is needed; this is {sys.version.split()[0]}. Say PYTHON=...")
    if arguments == ["clean-data"]:
        return clean_data(ROOT / ".data")
    if len(arguments) != 1 or arguments[0] not in FILES:
        return fail("usage: setup.py run | dev | clean-data")
    kind = arguments[0]
    if is_current(kind):
        return 0
    with one_at_a_time() as lock:
        return 0 if is_current(kind) else set_up(kind, lock)


def set_up(kind: str, lock: int) -> int:
    """Make .venv if it is missing or unfit, install, and write the stamp last."""
    started = time.monotonic()
    if not is_fit():
        shutil.rmtree(VENV, ignore_errors=True)
        say(f"Setting up .venv with Python {sys.version.split()[0]}")
        if not make_venv():
            shutil.rmtree(VENV, ignore_errors=True)
            version = ".".join(map(str, sys.version_info[:2]))
            return fail(
                f"{sys.executable} cannot make virtual environments. On Debian or Ubuntu: apt-get install python{version}-venv"
                " (or python3-virtualenv); then the same make again."
            )
        MADE.write_text(identity())
    say(f"Installing {NEEDED_FOR[kind]} ({FILES[kind][0]}); the first time this downloads up to {DOWNLOAD[kind]} MB")
    if not install(ROOT / FILES[kind][0], lock):
        return fail("The set-up is not complete; the same make starts it again.")
    stamp(kind).write_text(fingerprint(kind))
    if kind == "dev":
        stamp("run").write_text(fingerprint("run"))
    say(f"Ready after {time.monotonic() - started:.0f} s")
    return 0


def is_current(kind: str) -> bool:
    """Whether the last set-up of this kind ended well, from the same files, and still fits."""
    return is_fit() and stamp(kind).is_file() and stamp(kind).read_text() == fingerprint(kind)


def is_fit() -> bool:
    """Whether .venv is whole, belongs to this folder and, where PYTHON is given, to that Python."""
    if INSTALLING.exists() or not MADE.is_file() or not VENV_PYTHON.exists():
        return False
    made_with, _, folder = MADE.read_text().partition(" ")
    chosen = bool(os.environ.get("SETUP_PYTHON_CHOSEN"))
    return folder == str(VENV) and (not chosen or made_with == identity().partition(" ")[0])


def identity() -> str:
    """The running Python's minor version, and where .venv is: a moved one has dead paths in its scripts."""
    return f"{sys.version_info[0]}.{sys.version_info[1]} {VENV}"


def fingerprint(kind: str) -> str:
    """A digest of the content of the files that this kind of set-up reads."""
    digest = hashlib.sha256()
    for name in FILES[kind]:
        digest.update((ROOT / name).read_bytes() + b"\0")
    return digest.hexdigest()


def stamp(kind: str) -> Path:
    """The file that says what the set-up of this kind was made from."""
    return VENV / f".stamp-{kind}"


@contextlib.contextmanager
def one_at_a_time() -> Iterator[int]:
    """Hold the lock of this checkout; yields its descriptor, so that children hold it as long as they live."""
    lock = os.open(Path(__file__), os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another set-up of .venv to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def make_venv() -> bool:
    """Try each way to a virtual environment with pip; Debian's bare python3 has no ensurepip."""
    python, venv = sys.executable, str(VENV)
    ways: list[list[list[str]]] = [
        [[python, "-I", "-m", "venv", venv]],
        [[python, "-m", "virtualenv", "--quiet", venv]],
        [["uv", "venv", "--quiet", "--seed", "--python", python, venv]],
        [
            [python, "-I", "-m", "venv", "--without-pip", venv],
            [python, "-m", "pip", "--python", str(VENV_PYTHON), "install", "--quiet", "pip"],
        ],
    ]
    for way in ways:
        shutil.rmtree(VENV, ignore_errors=True)
        if all(succeeds(command) for command in way) and succeeds([str(VENV_PYTHON), "-I", "-m", "pip", "--version"]):
            return True
    return False


def succeeds(command: list[str]) -> bool:
    """Whether the command exists and ends with 0; what it says is not shown."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def install(requirements: Path, lock: int) -> bool:
    """Run pip in .venv: a sign of life when it takes long, everything that it said when it fails.

    The marker stays behind when pip ends badly after it has begun to write packages, or when nobody lived to see it.
    """
    command = [str(VENV_PYTHON), "-I", "-u", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off", "--requirement", str(requirements)]
    said: list[str] = []
    INSTALLING.touch()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"},
        pass_fds=[lock],
    ) as pip:
        try:
            follow(pip, said)
        except KeyboardInterrupt:
            said.extend(pip.stdout or ())
            raise
        finally:
            if pip.wait() == 0 or not any(line.startswith("Installing collected packages") for line in said):
                INSTALLING.unlink()
    if pip.returncode:
        sys.stderr.write("".join(said))
    return pip.returncode == 0


def follow(pip: subprocess.Popen[str], said: list[str]) -> None:
    """Collect what pip says, and show where it is when it has been silent for long."""
    shown = time.monotonic()
    for line in pip.stdout or ():
        said.append(line)
        step = line.strip()
        if step.startswith(("Downloading", "Building", "Installing")) and time.monotonic() - shown > HEARTBEAT_SECONDS:
            shown = time.monotonic()
            say(f"  {step[:100]}")


def clean_data(folder: Path) -> int:
    """Remove the embedded servers' data unless one of them runs."""
    for process_id in servers(folder):
        if is_alive(process_id):
            return fail(f"A server of .data still runs (process {process_id}): stop the console first.")
    if folder.exists():
        shutil.rmtree(folder)
    say("Removed .data: the next start begins with fresh sample data")
    return 0


def servers(folder: Path) -> Iterator[int]:
    """The process ids that the servers' own pid files and the console's records (core/embedded/record.py) name."""
    for file in folder.rglob("*.pid"):
        first_line = file.read_text(errors="replace").partition("\n")[0].strip()
        if first_line.isdigit():
            yield int(first_line)
    for file in folder.glob("*.lock"):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            yield int(json.loads(file.read_text(errors="replace"))["server"][0])


def is_alive(process_id: int) -> bool:
    """Whether a process of this id exists, whosever it is."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)


def fail(text: str) -> int:
    """One line on stderr; the exit code of a failure."""
    print(text, file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(fail("Stopped; the same make starts the set-up again."))
