"""The target rule: what may change data where.

Owns one question: may this action change the watched database? On the embedded one always; elsewhere only in mode operate and
when the operator has typed the target's name.
"""

from __future__ import annotations

from core.errors import TargetError
from core.settings import Settings


def require_target(settings: Settings, typed: str | None) -> None:
    """Return when the action is allowed; raises TargetError that says what would allow it."""
    if settings.database_embedded:
        return
    name = settings.target_name
    if settings.effective_mode != "operate":
        message = f"{name} is only watched (MODE=watch): nothing is changed there."
        raise TargetError(message, "Set MODE=operate and start again.")
    require_typed(name, typed, f"This changes data in {name}, which is not the embedded database.")


def require_typed(name: str, typed: str | None, otherwise: str) -> None:
    """Return when the operator has typed the name; raises TargetError with the message `otherwise`."""
    if (typed or "").strip() != name:
        raise TargetError(otherwise, f"Type its name to allow it: {name}")
