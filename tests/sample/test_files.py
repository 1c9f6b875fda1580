"""The shipped files: what they hold, and what happens to damaged ones."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.errors import SampleDataError
from core.sample.files import DATA_FOLDER, HOUSES_FILE, TEXAS_FILE, read_files, read_houses, read_texas


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of both files, to be damaged."""
    for name in (TEXAS_FILE, HOUSES_FILE):
        shutil.copy(DATA_FOLDER / name, tmp_path / name)
    return tmp_path


def test_texas_has_187_months_of_four_cities(files):
    """The series runs from January 2000 to July 2015 for each of the four cities."""
    cities, months = np.unique(files.texas.city, return_counts=True)
    assert cities.tolist() == ["Austin", "Dallas", "Houston", "San Antonio"]
    assert months.tolist() == [187] * 4
    assert (files.texas.month.min(), files.texas.month.max()) == (np.datetime64("2000-01"), np.datetime64("2015-07"))


def test_texas_keeps_missing_values_missing(files):
    """Ten values are missing in the source: listings and inventory of five months."""
    missing = {name: int(np.isnan(values).sum()) for name, values in files.texas.figures.items()}
    assert missing == {"sales": 0, "volume": 0, "median_price": 0, "listings": 5, "inventory_months": 5}


def test_houses_are_the_sales_of_lucas_county(files):
    """All 25,357 sales are there, with the first row of the source as it stands there."""
    houses = files.houses
    assert len(houses) == 25_357
    first = (houses.price[0], houses.year_built[0], houses.living_area[0], houses.bathrooms[0], str(houses.sale_date[0]))
    assert first == (303_000, 1978, 3273, 3.5, "1996-04-23")
    assert houses.price.sum() == 2_003_658_003


def test_coordinates_are_no_finer_than_a_hundred_meters(files):
    """Three decimals: a point does not tell one house from its neighbours."""
    for values in (files.houses.longitude, files.houses.latitude):
        assert np.array_equal(values, np.round(values, 3))


def test_readme_names_the_sums_of_the_files():
    """The sums in data/README.md are those of the files and of the CSV in them."""
    readme = (DATA_FOLDER / "README.md").read_text()
    for name in (TEXAS_FILE, HOUSES_FILE):
        packed = (DATA_FOLDER / name).read_bytes()
        assert hashlib.sha256(packed).hexdigest() in readme
        assert hashlib.sha256(gzip.decompress(packed)).hexdigest() in readme
        assert f"{len(packed):,}" in readme


@pytest.mark.parametrize("name", [TEXAS_FILE, HOUSES_FILE])
def test_missing_file_says_how_to_get_it_back(copied, name):
    """A file that is not there is named, with the next step."""
    (copied / name).unlink()
    with pytest.raises(SampleDataError, match=name) as raised:
        read_files(copied)
    assert "git checkout" in raised.value.next_step


@pytest.mark.parametrize("name", [TEXAS_FILE, HOUSES_FILE])
@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-2000], lambda raw: b"not gzip", lambda raw: raw[:500] + b"\0" * 99 + raw[600:]]
)
def test_damaged_file_is_refused(copied, name, damage):
    """Cut, foreign or corrupted bytes raise SampleDataError and nothing else."""
    raw = (copied / name).read_bytes()
    (copied / name).write_bytes(damage(raw))
    with pytest.raises(SampleDataError, match=name):
        read_files(copied)


def test_file_with_other_rows_is_refused(copied):
    """A readable file with a row less is not the one that ships."""
    lines = gzip.decompress((copied / TEXAS_FILE).read_bytes()).splitlines(keepends=True)
    (copied / TEXAS_FILE).write_bytes(gzip.compress(b"".join(lines[:-1])))
    with pytest.raises(SampleDataError, match="747 rows, not 748"):
        read_texas(copied)


def test_file_with_a_word_for_a_number_is_refused(copied):
    """A cell of the wrong type is damage, not a missing value."""
    plain = gzip.decompress((copied / HOUSES_FILE).read_bytes()).replace(b"\n303000,", b"\nmany,")
    (copied / HOUSES_FILE).write_bytes(gzip.compress(plain))
    with pytest.raises(SampleDataError, match=HOUSES_FILE):
        read_houses(copied)
