"""Services: one of each noun, and the only place that constructs them."""

from core.services.build import build_services
from core.services.services import Services

__all__ = ["Services", "build_services"]
