"""The import of one's own data: CSV files of any delimiter and encoding into the platform's tables.

All good rows or none, in one transaction; rejected rows go to a file of their own. Refuses to judge the target: that is
`core.target`.
"""

from core.importer.kinds import KINDS, Field, Kind, kind_of
from core.importer.loading import run
from core.importer.markets import Market
from core.importer.presets import Preset, presets
from core.importer.preview import Outline, outline, preview
from core.importer.rejects import rejected_path
from core.importer.reports import Dialect, ImportReport, ImportRequest, Mapped, Preview, Rejection
from core.importer.staging import statement_of

__all__ = [
    "KINDS", "Dialect", "Field", "ImportReport", "ImportRequest", "Kind", "Mapped", "Market", "Outline", "Preset", "Preview",
    "Rejection", "kind_of", "outline", "presets", "preview", "rejected_path", "run", "statement_of",
]  # fmt: skip
