"""Repair: the one further turn in which an answer that broke its bounds may be put right.

Owns its words. The answer and its faults are all that is added, so a repair costs little and cannot grow.
"""

from __future__ import annotations

from dataclasses import replace

from core.claude.messages import MessageRequest, Reply, Turn


def repair_request(request: MessageRequest, reply: Reply, problems: tuple[str, ...]) -> MessageRequest:
    """The same request, followed by its answer and what is wrong with it."""
    faults = "\n".join(f"- {problem}" for problem in problems)
    return replace(
        request,
        turns=(
            *request.turns,
            Turn("assistant", reply.text),
            Turn("user", f"That answer cannot be used:\n{faults}\nAnswer the same again with these faults put right."),
        ),
    )
