"""What the prompts page reads: the list of prompts, and the versions of one; what is known while the store is away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.claude.prompt_library import PromptSummary
from core.claude.prompts import PromptVersion
from core.platform.panel import Panel, within
from core.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptView:
    """One prompt: its versions, newest first, which one answers, and whether it was put away.

    `error` says that the store is away: then only the text that answers is known.
    """

    name: str
    versions: tuple[PromptVersion, ...]
    in_use: int
    archived_by: str | None = None
    error: str = ""

    @property
    def title(self) -> str:
        """The newest version's."""
        return self.versions[0].title

    def version(self, number: int | None) -> PromptVersion:
        """One of them; the newest where there is no such number."""
        return next((one for one in self.versions if one.version == number), self.versions[0])

    @property
    def used(self) -> PromptVersion:
        """The one that answers."""
        return self.version(self.in_use)


async def read_prompts(services: Services, *, archived: bool) -> Panel[tuple[PromptSummary, ...]]:
    """The prompts by name."""
    return await within(services.claude_parts.prompts.list(archived=archived))


async def read_prompt(services: Services, name: str, before: PromptView | None = None) -> PromptView | None:
    """One prompt, None where there is none; while the store is away what was known `before`, or the text that answers."""
    library = services.claude_parts.prompts
    found = await within(_stored(services, name))
    if found.error and before is not None:
        return replace(before, error=f"{found.error} {found.next_step}")
    if found.error:
        known = next((one for one in library.at_hand() if one.name == name), None)
        error = f"{found.error} {found.next_step}"
        return None if known is None else PromptView(name=name, versions=(known,), in_use=known.version, error=error)
    return found.value


async def _stored(services: Services, name: str) -> PromptView | None:
    library = services.claude_parts.prompts
    summaries: Mapping[str, PromptSummary] = {one.name: one for one in await library.list(archived=True)}
    versions = await library.versions(name) if name in summaries else ()
    if not versions:
        return None
    one = summaries[name]
    return PromptView(name=name, versions=versions, in_use=one.in_use, archived_by=one.archived_by)
