"""The presets against the real files, which are not part of the repository; without them these tests are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ImportFileError
from core.importer import ImportRequest, kind_of, presets, run
from core.importer.mapping import resolve
from core.importer.presets import preset_of

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_files = pytest.mark.skipif(not DATA.is_dir(), reason="the folder ../shared/data with the public data sets is not here")

ALL_MARKETS = """
INSERT INTO markets (id, market_name, state) VALUES
    ('austin', 'Austin', 'TX'), ('dallas', 'Dallas', 'TX'), ('houston', 'Houston', 'TX'),
    ('san_antonio', 'San Antonio', 'TX'), ('toledo', 'Toledo', 'OH')
"""
# file, preset, market, rows of the file, rows of the table, rejected
FILES = (
    ("properties/apartments_texas4.csv", "uci-apartments", None, 1_091, 1_091, 0),
    # 1,112 listings lie in the five markets; there are other towns called Dallas.
    ("properties/apartments_for_rent_10k.csv", "uci-apartments", None, 10_000, 1_112, 8_888),
    ("properties/lucas_county_oh_house_sales.csv", "lucas-county", None, 25_357, 25_357, 0),
    ("market/txhousing_4markets.csv", "txhousing", None, 748, 3_730, 0),
    ("leads/bank-additional-full.csv", "uci-bank-marketing", "austin", 41_188, 41_188, 0),
    ("leads/online_shoppers_intention.csv", "uci-online-shoppers", "austin", 12_330, 12_330, 0),
)
VISITS = (
    ("leads/bank-additional-full.csv", "uci-bank-marketing", "uci-bank-calls", 41_188),
    ("leads/online_shoppers_intention.csv", "uci-online-shoppers", "uci-online-shoppers-visits", 12_330),
)


def request(file: str, preset: str, **options) -> ImportRequest:
    """An import of a real file with a preset."""
    kind = next(item.kind for item in presets() if item.name == preset)
    return ImportRequest(kind=kind, path=DATA / file, preset=preset, **options)


@needs_files
@pytest.mark.parametrize(("file", "preset", "market", "read", "inserted", "rejected"), FILES)
async def test_a_real_file_goes_in_and_only_once(platform_connection, tmp_path, file, preset, market, read, inserted, rejected):
    """Every row is counted somewhere; the second time all good rows are there already."""
    await platform_connection.execute(ALL_MARKETS)
    asked = request(file, preset, market=market, rejected_path=tmp_path / "rejected.csv")
    report = await run(platform_connection, asked)
    assert (report.read, report.inserted, report.rejected) == (read, inserted, rejected), report.reasons[:3]
    assert await platform_connection.fetchval(f"SELECT count(*) FROM {report.table}") == inserted

    again = await run(platform_connection, asked)
    assert (again.inserted, again.already_there, again.rejected) == (0, inserted, rejected)


@needs_files
@pytest.mark.parametrize(("file", "leads", "visits", "rows"), VISITS)
async def test_visits_find_the_leads_of_the_same_file(platform_connection, file, leads, visits, rows):
    """Calls and visits hang on the leads that the first preset made, and bring up their last contact."""
    await platform_connection.execute(ALL_MARKETS)
    await run(platform_connection, request(file, leads, market="dallas"))
    report = await run(platform_connection, request(file, visits, market="dallas"))
    assert (report.inserted, report.rejected) == (rows, 0)
    assert await platform_connection.fetchval("SELECT count(*) FROM leads WHERE last_interaction_at IS NULL") == 0


@needs_files
async def test_no_protected_trait_is_imported():
    """Of the bank's file neither age nor family, job, schooling or credit goes into any field."""
    for preset in presets():
        origins = {part.partition("=")[2] for part in preset.mapping}
        assert not origins & {"age", "job", "marital", "education", "default", "housing", "loan"}


def test_presets_fit_the_contract():
    """Each names a kind, fields that this kind has, and says what its data is and is not."""
    for preset in presets():
        kind = kind_of(preset.kind)
        columns = [part.partition("=")[2] for part in preset.mapping]
        asked = ImportRequest(kind=preset.kind, path=Path("x.csv"), preset=preset.name)
        market = None if any(part.startswith("market=") for part in preset.mapping) else "austin"
        mapping = resolve(kind, columns, ImportRequest(kind=preset.kind, path=Path("x.csv"), market=market), preset.mapping)
        assert len(mapping.origins) == len(preset.mapping)
        assert preset_of(asked) is preset
        assert len(preset.note) > 50


def test_a_preset_of_another_kind_is_refused():
    """A preset for listings does not import leads; one that does not exist names those that do."""
    with pytest.raises(ImportFileError, match="is for properties"):
        preset_of(ImportRequest(kind="leads", path=Path("x"), preset="lucas-county"))
    with pytest.raises(ImportFileError) as raised:
        preset_of(ImportRequest(kind="leads", path=Path("x"), preset="nobody"))
    assert "uci-bank-marketing" in raised.value.next_step
