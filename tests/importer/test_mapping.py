"""Mapping: notation, suggestions by column names, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ImportFileError
from core.importer import ImportRequest, kind_of
from core.importer.mapping import resolve, suggest


def mapping(kind: str, columns: str, *parts: str, **options) -> dict[str, str]:
    """Field and origin as written, for a file with these columns."""
    request = ImportRequest(kind=kind, path=Path("x.csv"), mapping=parts, **{"market": "austin", **options})
    return {name: str(origin) for name, origin in resolve(kind_of(kind), columns.split(), request).origins}


def test_columns_are_found_by_name():
    """Capitals and punctuation do not matter; the field's own name comes before its synonyms; each column serves once."""
    assert mapping("properties", "MLS# Property-Type List_Price price Beds SALE.DATE") == {
        "external_id": "MLS#",
        "property_type": "Property-Type",
        "price": "price",
        "bedrooms": "Beds",
        "listing_date": "SALE.DATE",
    }


def test_a_lead_id_of_another_system_is_no_id_of_ours():
    """It could hang interactions on strangers."""
    found = mapping("interactions", "lead_id type date")
    assert found == {"lead_external_id": "lead_id", "interaction_type": "type", "created_at": "date"}


def test_a_city_column_gives_way_to_a_named_market():
    """And without one it is the market."""
    assert "market" not in mapping("leads", "name city state")
    assert mapping("leads", "name city state", market=None) == {"market": "city", "state": "state", "name": "name"}


def test_what_is_said_goes_before_what_is_found():
    """Constants, row numbers, and fields that are left out."""
    found = mapping("leads", "name stage", "status=:hot", "external_id=#row-", "name=", "email=name")
    assert found == {"external_id": "#row-", "email": "name", "status": ":hot"}


def test_a_column_may_be_called_anything():
    """A name that looks like a constant is a column where there is one."""
    assert mapping("leads", "name :hot", "status=:hot")["status"] == ":hot"
    assert suggest(kind_of("leads"), ["#"]) == {}


@pytest.mark.parametrize(
    ("kind", "columns", "parts", "options", "message"),
    [
        ("properties", "id price", (), {}, "need property_type, listing_date"),
        ("leads", "name", ("castle=name",), {}, "no field 'castle'"),
        ("leads", "name", ("name=nmae",), {}, "no column 'nmae'"),
        ("leads", "name", ("name",), {}, "not a part of a mapping"),
        ("leads", "name", (), {"market": None}, "No market is named"),
        ("leads", "score", (), {}, "Nothing tells the rows"),
        ("leads", "name town", ("market=town",), {}, "named twice"),
        ("leads", "name", ("score=#1",), {}, "cannot be the number of the row"),
        ("interactions", "lead type date", ("lead_id=lead", "lead_external_id=lead"), {}, "named twice"),
        ("interactions", "type date", (), {}, "need lead_id or lead_external_id"),
        ("market-data", "date value", (), {}, "half of one"),
        ("market-data", "date sales value data_type", (), {}, "two ways"),
        ("market-data", "year sales", (), {}, "date_recorded or year"),
    ],
)
def test_mappings_that_cannot_work(kind, columns, parts, options, message):
    """Each is refused before a row is read, with what to do."""
    with pytest.raises(ImportFileError, match=message) as raised:
        mapping(kind, columns, *parts, **options)
    assert raised.value.next_step
