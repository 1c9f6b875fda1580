"""Prompt checks: what is wrong with the answer of a trial, by its schema and by our own rules; nothing is repaired."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.claude.prompts import PromptVersion
from core.platform.fair_housing import check_text
from core.platform.lead_analysis import check_analysis
from core.platform.prompt_inputs import kind_of

FAULTS_MOST = 5
SHOWN_CHARACTERS = 200


def schema_faults(schema: Mapping[str, Any], value: Any) -> tuple[str, ...]:
    """Where a value does not fit a schema, bounds included, five sentences at most."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # noqa: PLC0415 - 50 ms at every start.

    found = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    return tuple(
        f"{'/'.join(map(str, error.absolute_path)) or 'The answer'}: {error.message[:SHOWN_CHARACTERS]}"
        for error in found[:FAULTS_MOST]
    )


def own_faults(prompt: PromptVersion, text: str, value: Any) -> tuple[str, ...]:
    """What our own rules say: of an analysis its bounds, of the text about a listing what fair housing objects to."""
    if "intent_score" in properties(prompt):
        return check_analysis(value)
    if prompt.schema is None and kind_of(prompt.variables) == "listing":
        return tuple(finding.sentence for finding in check_text(text))
    return ()


def properties(prompt: PromptVersion) -> Mapping[str, Any]:
    """The fields that a prompt's schema names; none without a schema."""
    found = (prompt.schema or {}).get("properties")
    return found if isinstance(found, Mapping) else {}
