"""Extract the shipped data from two unpacked Debian packages; refuses a source whose row counts are not the known ones.

apt-get download r-cran-ggplot2 r-cran-spdata
dpkg -x r-cran-ggplot2_*.deb unpacked && dpkg -x r-cran-spdata_*.deb unpacked
pip install rdata==1.1.0
python data/extract.py unpacked
"""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import lzma
import math
import sys
import warnings
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import rdata

HERE = Path(__file__).resolve().parent
TEXAS = ("Austin", "Dallas", "Houston", "San Antonio")
TEXAS_COLUMNS = ("city", "year", "month", "sales", "volume", "median", "listings", "inventory", "date")
HOUSE_COLUMNS = (
    "price", "yrbuilt", "stories", "TLA", "wall", "beds", "baths", "halfbaths", "garage", "garagesqft", "rooms", "lotsize",
)  # fmt: skip
TEXAS_ROWS, HOUSE_ROWS = 748, 25_357
# Three decimals are about 100 m: enough for a map of the market, not for the door of a house.
COORDINATE_DECIMALS = 3


def main(unpacked: Path) -> None:
    """Write both files into this folder and print rows and SHA-256 of what was compressed."""
    library = unpacked / "usr/lib/R/site-library"
    housing = _convert(_lazy_object(library / "ggplot2/data/Rdata", "txhousing"))
    houses = _convert(_lazy_object(library / "spData/data/Rdata", "house"))
    _write("txhousing_texas4.csv.gz", TEXAS_COLUMNS, list(_texas(housing)), TEXAS_ROWS)
    _write(
        "lucas_county_sales.csv.gz", (*HOUSE_COLUMNS, "sale_date", "longitude", "latitude"), list(_houses(houses)), HOUSE_ROWS
    )


def _texas(housing: Any) -> Iterable[Sequence[str]]:
    for row in housing[housing["city"].isin(TEXAS)].itertuples(index=False):
        yield [_cell(getattr(row, column)) for column in TEXAS_COLUMNS]


def _houses(houses: Any) -> Iterable[Sequence[str]]:
    frame = houses.data
    for row, (x, y) in zip(frame.itertuples(index=False), houses.coords.values.tolist(), strict=True):
        longitude, latitude = _degrees(x, y)
        place = (f"{longitude:.{COORDINATE_DECIMALS}f}", f"{latitude:.{COORDINATE_DECIMALS}f}")
        yield [*(_cell(getattr(row, column)) for column in HOUSE_COLUMNS), _iso_date(int(row.sdate)), *place]


def _cell(value: Any) -> str:
    """Whole numbers without a point, others with all their digits, missing as nothing."""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def _iso_date(yymmdd: int) -> str:
    return f"19{yymmdd // 10000:02d}-{yymmdd // 100 % 100:02d}-{yymmdd % 100:02d}"


def _write(name: str, header: Sequence[str], rows: list[Sequence[str]], expected: int) -> None:
    if len(rows) != expected:
        raise SystemExit(f"{name}: {len(rows)} rows found, {expected} expected; is this another version of the package?")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    plain = text.getvalue().encode()
    # Time 0 in the header, so that equal rows give an equal file.
    (HERE / name).write_bytes(gzip.compress(plain, compresslevel=9, mtime=0))
    print(f"{name}: {len(rows)} rows, SHA-256 unpacked {hashlib.sha256(plain).hexdigest()}")


def _convert(serialized: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rdata.conversion.convert(rdata.parser.parse_data(serialized))


def _lazy_object(base: Path, name: str) -> bytes:
    """Bytes of one object of R's lazy-load database: 4 bytes of length, one of method ('2' bzip2, 'Z' xz, else zlib), data."""
    index = _convert(base.with_suffix(".rdx").read_bytes())
    offset, length = (int(number) for number in index["variables"][name])
    raw = base.with_suffix(".rdb").read_bytes()[offset : offset + length]
    method = raw[4:5]
    if method == b"2":
        return bz2.decompress(raw[5:])
    if method == b"Z":
        return lzma.decompress(raw[5:], format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6}])
    return zlib.decompress(raw[4:])


def _degrees(x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of the data set's projection: Lambert conic with the parameters of its proj4string, GRS 80.

    Source: J. P. Snyder, Map Projections - A Working Manual (USGS 1395), equations 14-15, 15-1 to 15-11 and 7-9.
    """
    semi_major, flattening = 6_378_137.0, 1 / 298.257222101
    e = math.sqrt(flattening * (2 - flattening))
    south, north, origin = (math.radians(degrees) for degrees in (40.4333333333333, 41.7, 39.6666666666667))
    centre, false_easting = math.radians(-82.5), 600_000.0

    def m(phi: float) -> float:
        return math.cos(phi) / math.sqrt(1 - (e * math.sin(phi)) ** 2)

    def t(phi: float) -> float:
        sine = e * math.sin(phi)
        return math.tan(math.pi / 4 - phi / 2) / ((1 - sine) / (1 + sine)) ** (e / 2)

    n = math.log(m(south) / m(north)) / math.log(t(south) / t(north))
    scale = semi_major * m(south) / (n * t(south) ** n)
    easting, northing = x - false_easting, scale * t(origin) ** n - y
    ratio = (math.hypot(easting, northing) / scale) ** (1 / n)
    phi = math.pi / 2 - 2 * math.atan(ratio)
    for _ in range(6):
        sine = e * math.sin(phi)
        phi = math.pi / 2 - 2 * math.atan(ratio * ((1 - sine) / (1 + sine)) ** (e / 2))
    return math.degrees(math.atan2(easting, northing) / n + centre), math.degrees(phi)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
