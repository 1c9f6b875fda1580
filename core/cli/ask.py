"""`python -m core ask`: one question to Claude, a text or a stored prompt with its variables, within everybody's budgets."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, get_args

from core.claude.messages import Effort, Thinking
from core.cli.terminal import harmless

if TYPE_CHECKING:  # the services are loaded by `run`: the other commands need not wait for them
    from core.claude.messages import Answer, Ask
    from core.claude.prompts import PromptVersion
    from core.services import Services

MAX_TOKENS = 1_000


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = commands.add_parser("ask", help="ask Claude")
    parser.add_argument("text", nargs="?", help="the question; - reads it from stdin")
    parser.add_argument("--prompt", metavar="NAME", help="a stored prompt in place of a text")
    parser.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="one of its variables; repeat it")
    parser.add_argument("--version", type=int, metavar="N", help="one of its versions; the one in use when left out")
    parser.add_argument("--system", metavar="TEXT", help="the system prompt")
    parser.add_argument("--model", metavar="ID", help="CLAUDE_MODEL when left out")
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help=f"of the answer, thinking included; {MAX_TOKENS} for a text"
    )
    parser.add_argument("--effort", choices=get_args(Effort))
    parser.add_argument("--thinking", choices=get_args(Thinking))
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, at the end")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask; 0 answered, 1 no answer, 2 usage, 3 Claude or a server is down, 130 stopped."""
    from core.cli.opened import run_opened  # noqa: PLC0415 - see above
    from core.errors import UsageError  # noqa: PLC0415

    if bool(options.text) == bool(options.prompt):
        raise UsageError("Ask a text or a --prompt, one of the two.", 'Say python -m core ask "..." or ask --prompt NAME.')
    if not options.prompt and (options.var or options.version is not None):
        raise UsageError("--var and --version belong to a --prompt.", "Name the prompt, or leave them out.")
    text = sys.stdin.read() if options.text == "-" else options.text
    streams = sys.stdout.isatty() and not options.json

    async def work(services: Services) -> Answer:
        ask = await _ask(options, services, text)
        return await services.claude.ask(ask, on_text=_write_text if streams else _keep_quiet)

    try:
        answer = run_opened(work)
    finally:
        if streams:
            _write("\n")
    _tell(options, answer, streamed=streams)
    return 0


async def _ask(options: argparse.Namespace, services: Services, text: str | None) -> Ask:
    from core.claude.messages import Ask  # noqa: PLC0415 - see above
    from core.cli.operator import operator  # noqa: PLC0415

    prompt, label = await _prompt(options, services)
    variables = _variables(options.var) if options.prompt else {"text": text or ""}
    return Ask(
        request=services.claude_parts.request_of(prompt.checked(), variables),
        prompt_name=prompt.name,
        prompt_version=label,
        operator=operator(),
        deadline_seconds=services.settings.claude_background_timeout_seconds,  # Who waits sees the text, and can stop it.
    )


async def _prompt(options: argparse.Namespace, services: Services) -> tuple[PromptVersion, str]:
    """The prompt with the options that were given, and what its version is called in the ledger."""
    from dataclasses import replace  # noqa: PLC0415 - see above

    from core.claude.prompts import PromptVersion  # noqa: PLC0415

    names = ("system", "model", "max_tokens", "effort", "thinking")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    if not options.prompt:
        return PromptVersion(**{"name": "ask", "title": "Ask", "template": "$text", "max_tokens": MAX_TOKENS, **given}), ""
    library = services.claude_parts.prompts
    prompt = await (library.in_use(options.prompt) if options.version is None else library.get(options.prompt, options.version))
    return replace(prompt, **given), f"{prompt.label} changed" if given else prompt.label


def _variables(given: list[str]) -> dict[str, str]:
    from core.errors import UsageError  # noqa: PLC0415 - see above

    pairs = [part.partition("=") for part in given]
    if wrong := next((name for name, sign, _ in pairs if not sign or not name), None):
        raise UsageError(f"--var {wrong!r} has no value.", "Write --var NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _tell(options: argparse.Namespace, answer: Answer, *, streamed: bool) -> None:
    import orjson  # noqa: PLC0415 - see above

    from core.cli.claude_figures import REHEARSAL, figures, figures_line  # noqa: PLC0415

    if options.json:
        prompt = {"name": answer.prompt_name, "version": answer.prompt_version}
        told = {name: getattr(answer, name) for name in ("text", "value", "source", "rehearsal", "model")}
        data = {**told, "prompt": prompt, **figures(answer)}
        _write(orjson.dumps({"ok": True, "data": data, "error": None}).decode() + "\n")
        return
    if not streamed:
        _write_text(answer.text + "\n")
    sys.stderr.write(f"{REHEARSAL}\n" if answer.rehearsal else "")
    sys.stderr.write(figures_line(answer) + "\n")


def _keep_quiet(_text: str) -> None:
    """For a call that is streamed, so that the time of its first token is known, and shown at its end."""


def _write_text(text: str) -> None:
    """What others wrote; a file gets it as it is."""
    _write(harmless(text) if sys.stdout.isatty() else text)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
