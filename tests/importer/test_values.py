"""Cells: numbers, words, dates and texts as people write them."""

from __future__ import annotations

import pytest

from core.importer.dates import order_of
from core.importer.kinds import INTERACTIONS, LEADS, MARKET_DATA, PROPERTIES, Field
from core.importer.values import NULL, converter, detail_of, escaped, number_text


def read(item: Field, cell: str, **options) -> str:
    """A cell through the converter of a field."""
    return converter(item, **options)(cell)


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [("12", ".", "12"), ("-3.50", ".", "-3.50"), ("$1,234,567.89", ".", "1234567.89"), ("1.234.567,89 €", ",", "1234567.89"),
     ("1 234", ".", "1234"), ("1'234.5", ".", "1234.5"), ("1\u202f234,5", ",", "1234.5"), ("USD 99", ".", "99"),
     ("1e3", ".", "1000.0"), ("1e-400", ".", "0.0"), ("1.234", ",", "1234"), (".5", ".", ".5")],
)  # fmt: skip
def test_numbers(text, decimal, number):
    """Currency signs and separators of thousands go; the decimal sign is a point."""
    assert number_text(text, decimal) == number


@pytest.mark.parametrize(
    ("text", "decimal"),
    [("1,5", "."), ("12,34,567", "."), ("1.5", ","), ("abc", "."), ("1 2", "."), ("٣", "."), ("1" * 50, "."), ("--1", "."),
     ("0x10", "."), ("1_000", ".")],
)  # fmt: skip
def test_what_is_no_number(text, decimal):
    """Nothing is guessed: what can be read in two ways is refused."""
    with pytest.raises(ValueError, match="is not a number"):
        number_text(text, decimal)


@pytest.mark.parametrize("cell", ["", " ", "null", "NULL", "None", "NA", "n/a", "NaN", "-", "\\N"])
def test_no_value_in_typed_fields(cell):
    """The words for nothing are NULL in a number, and no reason to reject; a required field says that it has none."""
    assert read(PROPERTIES.field("bedrooms"), cell) == NULL
    with pytest.raises(ValueError, match="has no value"):
        read(PROPERTIES.field("price"), cell)


def test_words_for_nothing_are_text_in_a_text():
    """Null is a family name."""
    assert read(LEADS.field("name"), " Null ") == "Null"
    assert read(LEADS.field("name"), "  ") == NULL


@pytest.mark.parametrize(
    ("field", "cell", "reason"),
    [("price", "0", "not above 0"), ("price", "0.001", "below 0.01"), ("price", "1e12", "above 9,999,999,999.99"),
     ("price", "1e400", "above|not a number"), ("bedrooms", "-1", "below 0"), ("bedrooms", "40000", "above 32,767"),
     ("bedrooms", "2.5", "not a whole number"), ("square_feet", "0", "not above 0"), ("square_feet", "9" * 20, "above 2,147"),
     ("latitude", "91", "above 90"), ("bathrooms", "100", "above 99.99"), ("property_type", "castle", "is none of"),
     ("address", "x" * 501, "501 characters"), ("listing_date", "2024-02-30", "not a day|not a date|does not"),
     ("listing_date", "0001-01-01", "between the years"), ("created_at", "2190-01-01", "in the future")],
)  # fmt: skip
def test_bounds_are_those_of_the_tables(field, cell, reason):
    """What a CHECK or a type would refuse is a reason here."""
    with pytest.raises(ValueError, match=reason):
        read(PROPERTIES.field(field), cell)


def test_scores_are_from_0_to_100():
    """Both ends count, and nothing is nothing: a score of 0."""
    score = LEADS.field("score")
    assert [read(score, cell) for cell in ("0", "100", "87.0", "")] == ["0", "100", "87", "0"]
    for cell in ("-1", "101"):
        with pytest.raises(ValueError, match=r"'-?1"):
            read(score, cell)


@pytest.mark.parametrize(
    ("field", "cell", "word"),
    [(PROPERTIES.field("property_type"), "Single-Family Home", "single_family"), (LEADS.field("status"), "Closed Won", "won"),
     (PROPERTIES.field("status"), "Under contract", "pending"),
     (INTERACTIONS.field("interaction_type"), "Email opened", "email_open"),
     (MARKET_DATA.field("data_type"), "Median", "median_price"), (LEADS.field("status"), "", "new")],
)  # fmt: skip
def test_words_of_other_systems(field, cell, word):
    """Capitals, spaces and hyphens do not matter, and common other words are known."""
    assert read(field, cell) == word


def test_own_words():
    """The operator may say what a word means."""
    assert read(LEADS.field("status"), "Yes", words={"yes": "won"}) == "won"


@pytest.mark.parametrize(
    ("cell", "order", "day"),
    [("2024-05-31", None, "2024-05-31"), ("2024-05-31T23:59:59Z", None, "2024-05-31"), ("20240531", None, "2024-05-31"),
     ("2024/5/1", None, "2024-05-01"), ("31.5.2024", None, "2024-05-31"), ("5/31/2024", "mdy", "2024-05-31"),
     ("31/05/2024", "dmy", "2024-05-31"), ("31-05-2024", "dmy", "2024-05-31"), ("2024-05", None, "2024-05-01")],
)  # fmt: skip
def test_days(cell, order, day):
    """ISO, point and slash; the order of slashes is that of the column."""
    assert read(PROPERTIES.field("listing_date"), cell, order=order) == day


@pytest.mark.parametrize("cell", ["05/06/2024", "5/6/24", "May 2024", "2024-13-01", "31.02.2024", "2024-05-01x", "1714521600"])
def test_what_is_no_day(cell):
    """Neither guessed nor rounded."""
    with pytest.raises(ValueError, match=r"^'"):
        read(PROPERTIES.field("listing_date"), cell)


def test_a_date_format_is_obeyed():
    """And only it."""
    day = PROPERTIES.field("listing_date")
    assert read(day, "05/06/24", date_format="%d/%m/%y") == "2024-06-05"
    with pytest.raises(ValueError, match="does not have the date format"):
        read(day, "2024-06-05", date_format="%d/%m/%y")


@pytest.mark.parametrize(
    ("cell", "moment"),
    [("2024-05-01 10:20:30", "2024-05-01T10:20:30+00:00"), ("2024-05-01T10:20:30-05:00", "2024-05-01T10:20:30-05:00"),
     ("05/31/2024 1:05 PM", "2024-05-31T13:05:00+00:00"), ("31.05.2024 07:05", "2024-05-31T07:05:00+00:00"),
     ("05/31/2024 23:00 +02:00", "2024-05-31T21:00:00+00:00"), ("2024-05-01", "2024-05-01T00:00:00+00:00")],
)  # fmt: skip
def test_moments(cell, moment):
    """A moment without a zone is in UTC."""
    assert read(LEADS.field("created_at"), cell, order="mdy") == moment


def test_a_month_is_its_first_day():
    """Whatever day of it is written."""
    assert read(MARKET_DATA.field("date_recorded"), "2024-05-17") == "2024-05-01"


def test_the_column_decides_the_order():
    """One value that can be read in one way only is enough; contradictions and doubt are no answer."""
    assert order_of(["01/02/2024", "01/13/2024"]) == ("mdy", True)
    assert order_of(["13/01/2024"]) == ("dmy", True)
    assert order_of(["01/02/2024"]) == (None, True)
    assert order_of(["13/01/2024", "01/13/2024"]) == (None, True)
    assert order_of(["2024-01-02", ""]) == (None, False)


def test_text_is_escaped_for_copy():
    """Back-slashes, tabs and line breaks come out as they went in; NUL cannot be stored."""
    assert escaped("a\\b\tc\nd\re") == "a\\\\b\\tc\\nd\\re"
    assert escaped("=1+1") == "=1+1"
    with pytest.raises(ValueError, match="NUL"):
        escaped("a\0b")


def test_details_keep_their_type():
    """Numbers, booleans and text as JSON has them; codes with leading zeros stay text."""
    cells = ("12", "1.50", "yes", "FALSE", "null", "007", "+1 512", "x")
    assert [detail_of(cell) for cell in cells] == [12, 1.5, True, False, None, "007", "+1 512", "x"]
