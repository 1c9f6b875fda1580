"""Operations: what takes long: one at a time per key over all processes, watched, cancelled and remembered."""

from core.operations.operation import Choices, Operation, OperationRequest, Started, State, Work
from core.operations.operations import Operations
from core.operations.pause import Pause
from core.operations.short import run_short

__all__ = ["Choices", "Operation", "OperationRequest", "Operations", "Pause", "Started", "State", "Work", "run_short"]
