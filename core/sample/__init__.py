"""The sample data of the embedded platform: real figures and sales, and leads, interactions and listings drawn from them.

Marks every drawn row `synthetic`. Refuses to touch rows that it did not draw.
"""

from core.sample.loader import generate, load
from core.sample.reports import SampleReport, TopUpReport
from core.sample.size import DEFAULT, SampleSize
from core.sample.top_up import top_up

__all__ = ["DEFAULT", "SampleReport", "SampleSize", "TopUpReport", "generate", "load", "top_up"]
