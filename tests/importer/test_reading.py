"""How files are read: encodings, delimiters, headers, ragged rows, and files that are refused as a whole."""

from __future__ import annotations

import gzip
import random

import pytest

from core.errors import ImportFileError
from core.importer import ImportRequest, preview
from core.importer.dialect import detect
from core.importer.source import Source
from tests.importer.conftest import PROPERTY_HEADER

HEADER = PROPERTY_HEADER


def seen(path, **options):
    """The preview of a file of listings in Austin."""
    return preview(ImportRequest(kind="properties", path=path, **{"market": "austin", **options}))


@pytest.mark.parametrize(
    ("encoding", "detected"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"),
     ("utf-16-be", "utf-16-be"), ("utf-32", "utf-32"), ("cp1252", "cp1252"), ("latin-1", "cp1252")],
)  # fmt: skip
def test_encodings_are_found(write, encoding, detected):
    """By a mark, by strict UTF-8, by the zeros of UTF-16, else cp1252; the text is whole."""
    path = write(f"{HEADER},address\np1,condo,100,2024-05-01,Café Straße 3\n", encoding=encoding)
    view = seen(path)
    assert view.dialect.encoding == detected
    assert view.rows[0]["address"] == "Café Straße 3"


def test_an_accent_late_in_the_file_decides(write):
    """The first accent may come after megabytes of plain text."""
    rows = "".join(f"p{number},condo,100,2024-05-01,plain\n" for number in range(40_000))
    path = write(f"{HEADER},address\n{rows}p,condo,100,2024-05-01,Café\n", encoding="cp1252")
    assert seen(path).dialect.encoding == "cp1252"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(write, delimiter):
    """Also where another one occurs inside of quotes."""
    head, row = HEADER.replace(",", delimiter), ["p1", "condo", "100", "2024-05-01", '"a, b; c | d\te"']
    path = write(f"{head}{delimiter}address\n{delimiter.join(row)}\n")
    view = seen(path)
    assert view.dialect.delimiter == delimiter
    assert view.rows[0]["address"] == "a, b; c | d\\te"


def test_what_is_told_is_not_guessed(write):
    """A delimiter and an encoding given by name are used, and a wrong one is refused."""
    path = write("id~type~price~listed\np1~condo~100~2024-05-01\n")
    assert seen(path, delimiter="~", encoding="latin-1").rows[0]["external_id"] == "p1"
    with pytest.raises(ImportFileError, match="cannot be a delimiter"):
        seen(path, delimiter="~~")
    with pytest.raises(ImportFileError, match="no encoding"):
        seen(path, encoding="klingon")
    accents = write(f"{HEADER}\nCafé,condo,100,2024-05-01\n", encoding="cp1252")
    with pytest.raises(ImportFileError, match="not written in utf-8") as raised:
        seen(accents, encoding="utf-8")
    assert "cp1252" in raised.value.next_step


def test_a_compressed_file_is_unpacked(write):
    """Whatever its name."""
    path = write(gzip.compress(f"{HEADER}\np1,condo,100,2024-05-01\n".encode()), name="rows.data")
    assert seen(path).dialect.compressed


REFUSED = {
    "empty": (b"", "is empty"),
    "white": (b" \n\n\t\n", "nothing but white space"),
    "header only": (b"id,type,price,listed\n", "no rows"),
    "rubbish": (random.Random(7).randbytes(50_000), "not a text file|no column|no header|which no column"),
    "zeros": (bytes(10_000), "nothing but white space|binary"),
    "spreadsheet": (b"PK\x03\x04" + bytes(100), "a spreadsheet"),
    "cut gzip": (gzip.compress(random.Random(1).randbytes(100_000))[:5_000], "damaged gzip"),
    "no line breaks": (b"a,b,c" * 500_000, "more than 1,048,576 characters"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_are_refused(write, case):
    """Each with a sentence that says what it is, and what to do."""
    content, message = REFUSED[case]
    with pytest.raises(ImportFileError, match=message) as raised:
        seen(write(content))
    assert raised.value.next_step


def test_a_path_that_is_no_file_is_refused(tmp_path):
    """A folder, or nothing at all."""
    with pytest.raises(ImportFileError, match="is not a file"):
        seen(tmp_path)
    with pytest.raises(ImportFileError, match="does not exist"):
        seen(tmp_path / "nothing.csv")


def rows_of(path):
    """All rows of a file, and its source."""
    with Source(path, detect(path)) as source:
        return list(source), source


def test_lines_are_physical_lines(write):
    """A row is known by the line on which it starts, whatever line breaks its quotes hold; blank lines are no rows."""
    path = write('a,b\r\n1,"two\r\nthree"\r\n\r\n2,x\n')
    rows, _ = rows_of(path)
    assert [(row.line, list(row.cells)) for row in rows] == [(2, ["1", "two\r\nthree"]), (5, ["2", "x"])]


def test_ragged_rows_are_told_apart(write):
    """Empty cells too many are let go; a missing or an added one makes the row faulty."""
    rows, _ = rows_of(write("a,b\n1,2,,\n1\n1,2,3\n4,5\n"))
    assert [row.fault for row in rows] == ["", "has 1 fields, the header has 2", "has 3 fields, the header has 2", ""]


def test_a_stray_quote_spoils_one_row_only(write):
    """What follows a closed quote is a fault of that row; the next one is read."""
    rows, _ = rows_of(write('a,b\n"x"y,2\n3,4\n'))
    assert "not valid CSV" in rows[0].fault
    assert rows[0].cells == ['"x"y,2']
    assert list(rows[1].cells) == ["3", "4"]


def test_a_file_cut_off_inside_a_quote_is_refused(write):
    """It was cut off, so what is missing is unknown."""
    with pytest.raises(ImportFileError, match="ends inside a quoted field of the row that starts on line 3"):
        rows_of(write('a,b\n1,2\n3,"four and'))


def test_a_quote_that_is_never_closed_is_refused(write):
    """It would swallow thousands of rows without a word."""
    with pytest.raises(ImportFileError, match="starts on line 2 and not closed"):
        rows_of(write('a,b\n1,"open\n' + "3,4\n" * 50_000))


def test_a_last_row_without_a_line_break_is_noted(write):
    """It may be cut off, and nobody can tell."""
    rows, source = rows_of(write("a,b\n1,2\n3,4"))
    assert len(rows) == 2
    assert "may be cut off" in source.notes[0]


def test_header_names_are_made_unique(write):
    """Unnamed and repeated columns get names that a mapping can use, and that is said."""
    _, source = rows_of(write('"",a,a,a,\n1,2,3,4,5\n'))
    assert source.columns == ("column_1", "a", "a_2", "a_3", "column_5")
    assert len(source.notes) == 4


def test_a_wrong_encoding_further_on_is_refused(write):
    """Bytes that are not of the encoding, after what was looked at, stop the reading with the place."""
    path = write(f"{HEADER}\np1,condo,100,2024-05-01\n".encode() + b"p2,caf\xe9,100,2024-05-01\n")
    dialect = detect(write(f"{HEADER}\np1,condo,1,2024-05-01\n", name="plain.csv"))
    with pytest.raises(ImportFileError, match="not written in utf-8"), Source(path, dialect) as source:
        list(source)


def test_preview_shows_what_becomes_of_a_row(write):
    """Mapping, types, the first rows converted and what is rejected, without a database."""
    view = seen(write(f'{HEADER},beds,extra\np1,Town House,"$1,250.50",05/31/2024,null,x\np2,condo,free,06/01/2024,2,y\n'))
    assert {item.field: item.becomes for item in view.mapping} == {
        "external_id": "p1", "property_type": "townhouse", "price": "1250.50", "bedrooms": "", "listing_date": "2024-05-31",
    }  # fmt: skip
    assert view.rows[0]["market_id"] == "austin"
    assert [(item.line, item.reason) for item in view.rejected] == [(3, "price: 'free' is not a number")]
    assert view.unused_columns == ("extra",)
    assert "Dates of listed are read as month/day/year." in view.notes
