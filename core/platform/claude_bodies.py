"""Claude bodies: analyses and descriptions as the API and the command line write them, for orjson, which takes dataclasses.

Owns which words go out. Refuses what a lead's own route does not give: no name, note or address stands here.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from core.claude.messages import Answer
from core.platform.descriptions import Described
from core.platform.lead_analyses import AnalysedLead
from core.platform.scoring import RulesScore


def analysis_body(found: AnalysedLead) -> dict[str, Any]:
    """One analysis, Claude's or the rules', with the rules beside it."""
    return {
        "lead_id": found.subject.lead.get("id"),
        "source": found.source,
        "rehearsal": found.rehearsal,
        "analysis": found.analysis,
        "rules": _rules_body(found.rules),
        "canonical": found.canonical,
        "ignored": found.subject.facts.ignored,
        **_answer_body(found.answer, found.prompt.name, found.prompt.label),
        "failure": found.failure,
    }


def description_body(described: Described) -> dict[str, Any]:
    """One description, with the phrases in it that a person should look at."""
    answer = described.answer
    findings = [{**asdict(finding), "sentence": finding.sentence} for finding in described.findings]
    return {
        "property_id": described.listing["id"],
        "source": answer.source,
        "rehearsal": answer.rehearsal,
        "text": answer.text,
        "findings": findings,
        **_answer_body(answer, answer.prompt_name, answer.prompt_version),
    }


def _rules_body(rules: RulesScore) -> dict[str, Any]:
    names = ("score", "parts", "missing", "left_out", "how_weighed")
    return {name: getattr(rules, name) for name in names}


def _answer_body(answer: Answer | None, prompt_name: str, prompt_version: str) -> dict[str, Any]:
    return {
        "model": None if answer is None else answer.model,
        "prompt": {"name": prompt_name, "version": prompt_version},
        "answered_at": None if answer is None else answer.answered_at,
    }
