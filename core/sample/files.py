"""The two files in `data/`, as typed columns.

Refuses a file that is missing, damaged or not the one that ships: its figures would be shown as real ones.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv

from core.errors import SampleDataError

DATA_FOLDER = Path(__file__).resolve().parents[2] / "data"
TEXAS_FILE, HOUSES_FILE = "txhousing_texas4.csv.gz", "lucas_county_sales.csv.gz"
# Counted in the sources; data/README.md lists them.
TEXAS_ROWS, HOUSES_ROWS = 748, 25_357
NEXT_STEP = "Restore the folder data/ from the repository (git checkout -- data) and start again."

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TexasMonths:
    """Monthly figures of four Texas cities, one entry per city and month; NaN where the source has no value."""

    city: npt.NDArray[np.str_]
    month: npt.NDArray[np.datetime64]
    figures: Mapping[str, Floats]
    """By data type of `market_data`: sales and listings in homes, volume and median_price in dollars, inventory_months."""


@dataclass(frozen=True, slots=True, eq=False)
class Houses:
    """Sales of Lucas County, one entry per sale in the order of the source; areas in square feet, prices in dollars."""

    price: Integers
    year_built: Integers
    stories: npt.NDArray[np.str_]
    wall: npt.NDArray[np.str_]
    garage: npt.NDArray[np.str_]
    living_area: Integers
    lot_area: Integers
    bedrooms: Integers
    bathrooms: Floats
    sale_date: npt.NDArray[np.datetime64]
    longitude: Floats
    latitude: Floats

    def __len__(self) -> int:
        return len(self.price)


@dataclass(frozen=True, slots=True, eq=False)
class SampleFiles:
    """Both files, read."""

    texas: TexasMonths
    houses: Houses


def read_files(folder: Path = DATA_FOLDER) -> SampleFiles:
    """Read both files; raises SampleDataError."""
    return SampleFiles(read_texas(folder), read_houses(folder))


def read_texas(folder: Path = DATA_FOLDER) -> TexasMonths:
    """Read the monthly figures of Texas; raises SampleDataError."""
    names = {
        "sales": "sales",
        "volume": "volume",
        "median": "median_price",
        "listings": "listings",
        "inventory": "inventory_months",
    }
    types = {"city": pa.string(), "year": pa.int64(), "month": pa.int64(), **dict.fromkeys(names, pa.float64())}
    table = _read(folder / TEXAS_FILE, types, TEXAS_ROWS)
    months = (_numbers(table, "year") - 1970) * 12 + _numbers(table, "month") - 1
    figures = {name: table[column].to_numpy(zero_copy_only=False) for column, name in names.items()}
    return TexasMonths(_words(table, "city"), months.astype("datetime64[M]"), figures)


def read_houses(folder: Path = DATA_FOLDER) -> Houses:
    """Read the sales of Lucas County; raises SampleDataError."""
    whole = ("price", "yrbuilt", "TLA", "beds", "baths", "halfbaths", "lotsize")
    types = {
        **dict.fromkeys(whole, pa.int64()),
        **dict.fromkeys(("stories", "wall", "garage"), pa.string()),
        **dict.fromkeys(("longitude", "latitude"), pa.float64()),
        "sale_date": pa.date32(),
    }
    table = _read(folder / HOUSES_FILE, types, HOUSES_ROWS)
    return Houses(
        price=_numbers(table, "price"),
        year_built=_numbers(table, "yrbuilt"),
        stories=_words(table, "stories"),
        wall=_words(table, "wall"),
        garage=_words(table, "garage"),
        living_area=_numbers(table, "TLA"),
        lot_area=_numbers(table, "lotsize"),
        bedrooms=_numbers(table, "beds"),
        bathrooms=_numbers(table, "baths") + _numbers(table, "halfbaths") / 2,
        sale_date=table["sale_date"].to_numpy().astype("datetime64[D]"),
        longitude=table["longitude"].to_numpy(),
        latitude=table["latitude"].to_numpy(),
    )


def _read(path: Path, types: Mapping[str, pa.DataType], rows: int) -> pa.Table:
    # Text columns keep empty cells and the words 'NA' or 'null' as they stand; number columns read empty as missing.
    options = pacsv.ConvertOptions(column_types=types, include_columns=list(types), null_values=[""])
    try:
        table = pacsv.read_csv(pa.BufferReader(gzip.decompress(path.read_bytes())), convert_options=options)
    except FileNotFoundError as error:
        raise SampleDataError(f"The sample file {path.name} is missing from {path.parent}.", NEXT_STEP) from error
    except (OSError, EOFError, zlib.error, pa.ArrowException, KeyError) as error:
        raise SampleDataError(f"The sample file {path.name} cannot be read: {error}", NEXT_STEP) from error
    if table.num_rows != rows:
        raise SampleDataError(f"The sample file {path.name} has {table.num_rows} rows, not {rows}.", NEXT_STEP)
    return table


def _numbers(table: pa.Table, column: str) -> Integers:
    numbers: Integers = table[column].to_numpy()
    return numbers


def _words(table: pa.Table, column: str) -> npt.NDArray[np.str_]:
    return np.array(table[column].to_pylist(), dtype=np.str_)
