"""SessionRemedy: ends sessions that have been idle in a transaction for long and keep others waiting, or hold our connections.

Owns the choice of the sessions. Refuses in MODE=watch; leaves alone what harms nobody, unless an operator asks for it by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.database.parts import DatabaseParts
from core.database.queries import Queries
from core.database.sessions import (
    CLIENT,
    ServerSession,
    ServerSessions,
    end_idle_session,
    read_sessions,
    terminate_command,
)
from core.errors import CoreError, TargetError
from core.monitor.alerts.words import counted, lasting
from core.monitor.remediation.effect import Figure
from core.platform.remedy_actions import Call, Done, Plan
from core.ports import Progress
from core.settings import Settings

IDLE_SECONDS = 60.0  # A person at a prompt thinks for shorter; a program that does is at fault.


@dataclass(frozen=True, slots=True)
class Holder:
    """A session to be ended, and how many wait for it."""

    session: ServerSession
    waiting: int

    @property
    def text(self) -> str:
        """Who it is and what it does."""
        who = self.session.application or self.session.user or "nobody known"
        idle = f"idle in a transaction for {lasting(self.session.state_seconds or 0.0)}"
        return f"session {self.session.pid} of {who}, {idle}, {counted(self.waiting, 'sessions')} waiting for it"


class SessionRemedy:
    """See RemedyAction."""

    def __init__(
        self, settings: Settings, parts: DatabaseParts, queries: Queries, *, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._settings, self._parts, self._queries, self._idle_seconds = settings, parts, queries, idle_seconds

    async def plan(self, call: Call, /) -> Plan:
        """The sessions that would be ended; raises DependencyError, QueryError."""
        if self._settings.effective_mode == "watch":
            refusal = "This database is only watched (MODE=watch): nobody's session is ended."
            return Plan(refusal=refusal, next_step="Set MODE=operate and start again.")
        found = self._holders(await read_sessions(self._parts.looking), call)
        if not found:
            refusal = f"No session that harms others has been idle in a transaction for {lasting(self._idle_seconds)}."
            return Plan(refusal=refusal, next_step="Look at Sessions on the Database page.")
        return Plan(
            does=tuple(f"Ends {holder.text}." for holder in found),
            why=f"{counted(len(found), 'sessions')} idle in a transaction for more than {lasting(self._idle_seconds)}.",
            commands=tuple(terminate_command(holder.session.pid) for holder in found),
            subject=tuple(found),
        )

    async def act(self, plan: Plan, call: Call, progress: Progress, /) -> Done:
        """End each that still does what was seen; raises CoreError for the first that could not be ended, after the others."""
        if self._settings.effective_mode == "watch":
            raise TargetError("This database is only watched (MODE=watch): nobody's session is ended.")
        ended, gone, failed = [], 0, None
        for place, holder in enumerate(plan.subject):
            progress("sessions", place, len(plan.subject))
            name = f"console remedy {call.who}"
            try:
                done = await end_idle_session(self._parts.database, self._queries, holder.session, self._idle_seconds, name)
            except CoreError as error:
                failed = failed or error
                continue
            if done:
                ended.append(holder.text)
            else:
                gone += 1
        if failed is not None and not ended:
            raise failed
        parts = [f"Ended {'; '.join(ended)}." if ended else "", f"{gone} had gone on and were left alone." if gone else ""]
        return Done(" ".join([*filter(None, parts), str(failed or "")]).strip(), changed=bool(ended))

    def undo(self) -> str:
        """Nothing: what the sessions had not committed is gone."""
        return ""

    async def figure(self) -> Figure | None:
        """How many are held up, or idle in a transaction for too long."""
        sessions = await read_sessions(self._parts.looking)
        held_up = {session.pid for session in sessions.blocked}
        harmful = {holder.session.pid for holder in self._holders(sessions, Call(rule="", who=""))}
        return Figure("Sessions held up or holding others up", float(len(held_up | harmful)), 1, "count", note="one look")

    def _holders(self, found: ServerSessions, call: Call) -> list[Holder]:
        waiting = {tree.pid: len({waiter.pid for waiter in tree.below()}) for tree in found.trees}
        holders = [Holder(session, waiting.get(session.pid, 0)) for session in found.sessions if self._idles(session)]
        ours = f"console {self._settings.environment}"
        return [item for item in holders if item.waiting or item.session.application == ours or call.everyone]

    def _idles(self, session: ServerSession) -> bool:
        long = (session.state_seconds or 0.0) >= self._idle_seconds
        return session.backend_type == CLIENT and session.idle_in_transaction and long and not session.own
