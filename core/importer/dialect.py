"""Dialect: in which encoding and with which delimiter a file is written.

Owns the guesses, which are few and shown: a mark at the beginning, then strict UTF-8, then cp1252 where the bytes look like
text. Refuses a file that is no text.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from pathlib import Path
from typing import IO, cast

from core.errors import ImportFileError
from core.importer.reports import Dialect

SAMPLE_BYTES = 256 * 1024
# What is read to tell UTF-8 from other encodings: a first accent may come late. At 1 GB/s this takes no time.
SCAN_BYTES = 64 * 1024 * 1024
DELIMITERS = (",", ";", "\t", "|")
DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
SAMPLE_ROWS = 200
GZIP_MAGIC = b"\x1f\x8b"
# Marks of files that people take for CSV: a spreadsheet is a ZIP archive.
FOREIGN = {
    b"PK\x03\x04": "a spreadsheet or ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file",
    b"SQLite": "a SQLite database",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
}
# The order matters: the mark of UTF-32 begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
CONTROL_SHARE = 0.02  # A text has next to no control characters; random bytes have twelve in a hundred.
SAVE_AS_CSV = "Export the table as CSV (comma separated, UTF-8) and import that."


def detect(path: Path, *, encoding: str | None = None, delimiter: str | None = None) -> Dialect:
    """How the file is written; raises ImportFileError for one that is missing, empty, or no text."""
    compressed, sample, size_bytes = _head(path)
    detected = tuple(name for name, told in (("encoding", encoding), ("delimiter", delimiter)) if told is None)
    encoding = _known(encoding) if encoding else _encoding(path, compressed, sample)
    text = _decoded(path, sample, encoding)
    if not text.strip("\ufeff \t\r\n\0"):
        raise ImportFileError(f"{path.name} has nothing but white space.", "Choose a file with a header line and rows.")
    return Dialect(encoding, _delimiter(delimiter, text), compressed, detected, size_bytes)


def open_bytes(path: Path, raw: IO[bytes], *, compressed: bool) -> IO[bytes]:
    """The bytes of the text, unpacked where the file is compressed."""
    return cast("IO[bytes]", gzip.GzipFile(filename=path.name, fileobj=raw, mode="rb")) if compressed else raw


def _head(path: Path) -> tuple[bool, bytes, int]:
    """Whether it is compressed, its first bytes unpacked, and its size on the disk."""
    try:
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise ImportFileError(f"{path} {what}.", "Give the path of a CSV file that this machine can read.")
        with path.open("rb") as raw:
            compressed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            sample = open_bytes(path, raw, compressed=compressed).read(SAMPLE_BYTES)
            size_bytes = path.stat().st_size
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImportFileError(f"{path.name} is a damaged gzip file: {error}", "Transfer it again and repeat.") from error
    except OSError as error:
        raise ImportFileError(f"{path} cannot be read: {error.strerror or error}", "Check its path and its rights.") from error
    if not sample:
        raise ImportFileError(f"{path.name} is empty.", "Choose a file with a header line and rows.")
    for mark, what in FOREIGN.items():
        if sample.startswith(mark):
            raise ImportFileError(f"{path.name} is {what}, not a CSV file.", SAVE_AS_CSV)
    return compressed, sample, size_bytes


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise ImportFileError(
            f"There is no encoding {encoding!r}.", "Name one such as utf-8, utf-16, cp1252 or latin-1."
        ) from None


def _encoding(path: Path, compressed: bool, sample: bytes) -> str:
    for mark, name in MARKS:
        if sample.startswith(mark):
            return name
    if (wide := _without_mark(sample)) is not None:
        return wide
    if _is_utf8(path, compressed):
        _refuse_binary(path, sample)
        return "utf-8"
    _refuse_binary(path, sample)
    try:
        codecs.getincrementaldecoder("cp1252")().decode(sample)
    except UnicodeDecodeError:
        # Five bytes mean nothing in cp1252; in latin-1 they are control characters.
        return "latin-1"
    return "cp1252"


def _without_mark(sample: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of Western text is zero."""
    head = sample[:4096]
    zeros = (head[0::2].count(0), head[1::2].count(0))
    half = max(1, len(head) // 2)
    if zeros[1] > 0.7 * half and zeros[0] < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if zeros[0] > 0.7 * half and zeros[1] < 0.05 * half else None


def _is_utf8(path: Path, compressed: bool) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as raw:
            stream, left = open_bytes(path, raw, compressed=compressed), SCAN_BYTES
            while left > 0 and (piece := stream.read(SAMPLE_BYTES)):
                decoder.decode(piece)
                left -= len(piece)
    except UnicodeDecodeError:
        return False
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return True  # Cut off further on: the reading of the rows says on which line.
    return True


def _refuse_binary(path: Path, sample: bytes) -> None:
    controls = sum(sample.count(byte) for byte in range(32) if byte not in b"\t\n\r\x0c")
    if controls > CONTROL_SHARE * len(sample) + 2:
        raise ImportFileError(f"{path.name} is not a text file: it holds binary data.", SAVE_AS_CSV)


def _decoded(path: Path, sample: bytes, encoding: str) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError as error:
        raise ImportFileError(
            f"{path.name} is not written in {encoding}: {error.reason} at byte {error.start}.",
            "Name the right encoding, such as cp1252 or utf-16, or leave it out to have it found.",
        ) from error


def _delimiter(told: str | None, text: str) -> str:
    if told is not None:
        delimiter = DELIMITER_NAMES.get(told.lower(), told)
        if len(delimiter) != 1 or delimiter in '"\r\n\0':
            raise ImportFileError(f"{told!r} cannot be a delimiter.", "Give one character, or the word tab.")
        return delimiter
    scores = {delimiter: _fit(text, delimiter) for delimiter in DELIMITERS}
    best = max(scores, key=lambda delimiter: scores[delimiter])
    return best if scores[best][1] > 1 else ","


def _fit(text: str, delimiter: str) -> tuple[float, int]:
    """How many of the first rows have as many fields as the header, and how many fields that is."""
    reader, widths = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), []
    try:
        for cells in reader:
            widths += [len(cells)] if cells else []
            if len(widths) >= SAMPLE_ROWS:
                break
    except csv.Error:
        pass
    if not widths or widths[0] < 2:
        return 0.0, 1
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]
