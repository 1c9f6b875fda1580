"""PromptLab: where prompts are tried: the inputs, single trials, and sets of them."""

from __future__ import annotations

from core.claude.parts import ClaudeParts
from core.database.pool import Database
from core.operations import Operations
from core.platform.descriptions import Descriptions
from core.platform.prompt_inputs import PromptInputs
from core.platform.prompt_sets import PromptSets
from core.platform.prompt_trials import PromptTrials
from core.platform.subjects import Subjects
from core.settings import Settings


class PromptLab:
    """One of each."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        operations: Operations,
        parts: ClaudeParts,
        subjects: Subjects,
        descriptions: Descriptions,
    ) -> None:
        self.inputs = PromptInputs(database, subjects, descriptions)
        self.trials = PromptTrials(settings, parts)
        self.sets = PromptSets(operations, self.trials, parts)
