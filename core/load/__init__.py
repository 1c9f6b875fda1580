"""Traffic over HTTP in a process of its own: a schedule of many users, the requests that they make, and an honest report."""

from core.load.generator import generate
from core.load.plan import Address, LoadPlan, base_url
from core.load.process import make_load
from core.load.report import LoadProgress, LoadReport

__all__ = ["Address", "LoadPlan", "LoadProgress", "LoadReport", "base_url", "generate", "make_load"]
