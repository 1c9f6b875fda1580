"""Access log: which paths and keys a log asks for most.

Owns the reading of a file of any size in bounded memory: its last 64 MiB, counted by Misra and Gries (Finding repeated
elements, 1982), which keeps every text that makes up more than 1/50,000 of the lines. Refuses to guess: a line without a GET
is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import UsageError

MOST_BYTES = 64 * 1024 * 1024
MOST_TEXTS = 50_000
MOST_LINE_BYTES = 8_192
# A request line inside quotes, as in the common log format, or one that starts with the method.
REQUEST = re.compile(rb'(?:^|["\s])(?:GET|HEAD) (?:https?://[^/\s]+)?(/[^\s"]*)')
ALONE = re.compile(rb"(?:https?://[^/\s]+)?(/\S*)|([a-z_]+:\S+)")


@dataclass(frozen=True, slots=True)
class LogCounts:
    """Texts by how often they occur, most frequent first; of how many lines, and how many of those asked for nothing."""

    counts: tuple[tuple[str, int], ...]
    lines: int
    without: int


def count_log(path: Path, most_bytes: int = MOST_BYTES, most_texts: int = MOST_TEXTS) -> LogCounts:
    """Count what the last `most_bytes` of a log ask for; blocks, so call it in a thread. Raises UsageError."""
    counts: dict[bytes, int] = {}
    lines = without = 0
    try:
        with path.open("rb") as log:
            start = max(0, path.stat().st_size - most_bytes)
            log.seek(start)
            if start:
                log.readline(MOST_LINE_BYTES)  # The rest of a line that began before.
            while line := log.readline(MOST_LINE_BYTES):
                lines += 1
                text = asked(line)
                if text is None:
                    without += 1
                else:
                    _count(counts, text, most_texts)
    except OSError as error:
        raise UsageError(
            f"The access log {path} cannot be read: {error.strerror}.", "Correct the plan's access_log."
        ) from error
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return LogCounts(tuple((text.decode("utf-8", "replace"), count) for text, count in ranked), lines, without)


def asked(line: bytes) -> bytes | None:
    """The path or key that one line asks for."""
    line = line.strip()
    if (alone := ALONE.fullmatch(line)) is not None:
        return alone[1] or alone[2]
    request = REQUEST.search(line)
    return request[1] if request is not None else None


def _count(counts: dict[bytes, int], text: bytes, most_texts: int) -> None:
    if text in counts or len(counts) < most_texts:
        counts[text] = counts.get(text, 0) + 1
        return
    for known in list(counts):
        counts[known] -= 1
        if not counts[known]:
            del counts[known]
