"""Commands: the lines of the command line that do what the data page does, to copy."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from core.importer import ImportRequest
from core.sample import SampleSize


def import_line(request: ImportRequest) -> str:
    """`python -m core import ...` for a request."""
    parts = ["python", "-m", "core", "import", request.kind, str(request.path)]
    options = (
        ("--preset", request.preset), ("--market", request.market), ("--create-market", request.create_market),
        ("--delimiter", request.delimiter), ("--encoding", request.encoding), ("--date-format", request.date_format),
        ("--decimal", request.decimal if request.decimal != "." else None),
    )  # fmt: skip
    for name, value in options:
        parts += [name, value] if value else []
    for part in request.mapping:
        parts += ["--map", part]
    for part in request.words:
        parts += ["--word", part]
    if request.dry_run:
        parts.append("--dry-run")
    return shlex.join(parts)


def generate_line(size: SampleSize, seed: int | None) -> str:
    """`python -m core generate ...` for a size."""
    parts = [f"--leads {size.leads}", f"--interactions {size.interactions}", f"--properties {size.properties}"]
    if seed is not None:
        parts.append(f"--seed {seed}")
    return f"python -m core generate {' '.join(parts)}"


def warm_line(plan: str) -> str:
    """`python -m core warm ...` for a plan."""
    return f"python -m core warm {plan}"


def migrate_line(action: str, names: Sequence[str], target: str | None = None) -> str:
    """`python -m core migrate ...` for indexes; `target` where its name must be typed."""
    return shlex.join(["python", "-m", "core", "migrate", action, *names, *(["--target", target] if target else [])])
