"""Lead analyses: the rules' judgement of a lead and, beside it, Claude's.

Owns the way from a lead to its analysis: the rules always, Claude through the canonical lead and the cache. Refuses nothing for
Claude's sake: where it is down, over budget or declines, the rules stand alone and the reason is said.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from core.claude.claude import Caching
from core.claude.messages import Answer, Ask, Lane, OnText, Reply, Source
from core.claude.parts import ClaudeParts
from core.claude.prompts import PromptVersion
from core.claude.streams import streamed
from core.errors import ClaudeError, UsageError
from core.platform.canonical import CanonicalLead
from core.platform.lead_analysis import LeadAnalysis, check_analysis
from core.platform.scoring import RulesScore, score_lead
from core.platform.subjects import Subject
from core.settings import Settings

PROMPT = "lead_analysis"
# The prompt holds no day and no figure, so an answer grows old only with the prompt, which is part of its key.
CACHING = Caching(family="lead_analysis", ttl_seconds=24 * 3600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no answer of Claude: the kind of its error ("prompt": the prompt in use), what happened and what to do."""

    kind: str
    message: str
    next_step: str

    @classmethod
    def of(cls, error: ClaudeError | UsageError) -> Failure:
        """The failure that an error tells of."""
        return cls(
            kind=error.kind if isinstance(error, ClaudeError) else "prompt", message=str(error), next_step=error.next_step
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysedLead:
    """One lead's analysis; `analysis` is Claude's, or the rules' where `source` is "rules"; `failure` says why."""

    subject: Subject
    canonical: CanonicalLead
    rules: RulesScore
    prompt: PromptVersion
    analysis: LeadAnalysis
    source: Source
    rehearsal: bool
    answer: Answer | None = None
    failure: Failure | None = None


class LeadAnalyses:
    """Analyses leads, stored ones and described ones alike."""

    def __init__(self, settings: Settings, parts: ClaudeParts) -> None:
        self._settings = settings
        self._parts = parts
        self._claude = parts.claude
        self._prompts = parts.prompts

    async def ask_of(self, canonical: CanonicalLead, *, operator: str, lane: Lane = "interactive") -> Ask:
        """What Claude is asked about every lead of this canonical form, by the version in use; raises UsageError."""
        return self._ask(await self._prompts.in_use(PROMPT), canonical, operator, lane)

    async def analyse(
        self, subject: Subject, *, operator: str, on_text: OnText | None = None, fresh: bool = False
    ) -> AnalysedLead:
        """The analysis of a lead; `fresh` asks again where an answer is kept. Raises nothing for a failure of Claude."""
        by_rules = await self.by_rules(subject)
        try:
            ask = self._ask(by_rules.prompt, by_rules.canonical, operator, "interactive")
            answer = await self._claude.ask(ask, caching=CACHING, check=faults_of, on_text=on_text, fresh=fresh)
        except (ClaudeError, UsageError) as error:
            return replace(by_rules, failure=Failure.of(error))
        return replace(by_rules, analysis=LeadAnalysis.of(answer.value), source=answer.source, answer=answer)

    async def by_rules(self, subject: Subject) -> AnalysedLead:
        """What the rules alone say; Claude is not asked."""
        rules = score_lead(subject.facts, subject.market)
        return AnalysedLead(
            subject=subject,
            canonical=CanonicalLead.of(subject.facts),
            rules=rules,
            prompt=await self._prompts.in_use(PROMPT),
            analysis=rules.analysis(),
            source="rules",
            rehearsal=self._claude.rehearsal,
        )

    def stream(self, subject: Subject, *, operator: str, fresh: bool = False) -> AsyncIterator[str | AnalysedLead]:
        """The text of the answer as it comes, then the analysis; leaving early ends the call."""
        return streamed(lambda on_text: self.analyse(subject, operator=operator, on_text=on_text, fresh=fresh))

    def _ask(self, prompt: PromptVersion, canonical: CanonicalLead, operator: str, lane: Lane) -> Ask:
        values, settings = canonical.variables(), self._settings
        known = {name: values[name] for name in prompt.variables if name in values}
        waited_for = lane == "interactive"
        return Ask(
            request=self._parts.request_of(prompt, known),
            prompt_name=prompt.name,
            prompt_version=prompt.label,
            operator=operator,
            lane=lane,
            priority="critical" if waited_for else "normal",
            deadline_seconds=settings.claude_timeout_seconds if waited_for else settings.claude_background_timeout_seconds,
        )


def faults_of(reply: Reply) -> tuple[str, ...]:
    """What is wrong with a reply that should be an analysis."""
    return check_analysis(reply.value)
