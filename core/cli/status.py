"""`python -m core status`: the first line, servers, broken promises and open incidents, as the running console judges them.

Exit code: 0 fine; 1 not fine, or nobody can tell; 3 a server is down or no console answers; 130 the end of --watch by Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

import orjson

from core.settings import Settings

if TYPE_CHECKING:  # loaded by `run`: the other commands need not wait for it
    from core.platform.status import StatusView

WATCH_SECONDS = 2.0
HOME, TO_LINE_END, TO_SCREEN_END = "\x1b[H", "\x1b[K", "\x1b[J"


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = commands.add_parser("status", help="how the platform fares; 0 fine, 1 not fine, 3 down")
    parser.add_argument("--watch", action="store_true", help=f"look again each {WATCH_SECONDS:g} s, until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout; with --watch one for each look")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Look once, or until a signal ends it."""
    from core.cli.status_look import address, look  # noqa: PLC0415 - see above

    settings = Settings.from_env()
    screen = Screen(sys.stdout, address(settings), as_json=options.json, watch=options.watch)
    try:
        while True:
            view = look(settings)
            screen.show(view)
            if not options.watch:
                return exit_code(view)
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        screen.end()
        raise
    except BrokenPipeError:  # `| head` has what it wanted; nothing may be written at the end of the process either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def exit_code(view: StatusView) -> int:
    """What a script asks: 0 only when all is known to be well."""
    if not view.judged or view.dependency_down:
        return 3
    return 0 if view.state == "fine" else 1


class Screen:
    """Writes looks: one over the other on a terminal, elsewhere a block for each change, or an object for each look."""

    def __init__(
        self,
        out: TextIO,
        console: str,
        *,
        as_json: bool,
        watch: bool,
        size: Callable[[], os.terminal_size] = shutil.get_terminal_size,
    ) -> None:
        self._out, self._console, self._json, self._size = out, console, as_json, size
        self._terminal = out.isatty() and os.environ.get("TERM") != "dumb"
        self._over = watch and self._terminal and not as_json
        self._colour = self._terminal and not os.environ.get("NO_COLOR")
        self._last: object = None

    def show(self, view: StatusView) -> None:
        """Write one look."""
        from core.cli.status_lines import changes, drawn, fitted  # noqa: PLC0415 - see above

        if self._json:
            self._write(_object(view))
            return
        size = self._size()
        source = self._console if view.judged else "without a console"
        lines = drawn(view, source, width=size.columns, colour=self._colour)
        if self._over:
            shown = fitted(lines, size.lines)
            # The last line has no end: it would move everything up by one.
            self._write(HOME + f"{TO_LINE_END}\n".join(shown) + TO_LINE_END + TO_SCREEN_END)
            return
        if (told := changes(view)) == self._last:
            return
        self._write("\n".join([*([""] if self._last is not None else []), *lines]) + "\n")
        self._last = told

    def end(self) -> None:
        """Leave the last look on the terminal, and the cursor below it."""
        if self._over:
            self._write("\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _object(view: StatusView) -> str:
    from core.cli.status_lines import said  # noqa: PLC0415 - see above

    code = exit_code(view)
    error = {"message": said(view), "next_step": view.next_step} if code else None
    return orjson.dumps({"ok": code == 0, "data": view, "error": error}, option=orjson.OPT_UTC_Z).decode() + "\n"
