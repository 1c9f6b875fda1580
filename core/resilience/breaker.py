"""CircuitBreaker: leaves a server alone that fails or is slow, and finds out by itself when it is well again.

Owns the window of outcomes, the state and its events. Refuses to judge what an error means: the caller says what counts.
The model is resilience4j's (https://resilience4j.readme.io/docs/circuitbreaker), with two differences: a trial ends as soon as
its verdict is certain, and trial calls that never report do not hold it up (resilience4j #903).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from core.errors import BreakerOpen, DependencyError
from core.resilience.state import BreakerEvent, BreakerState, BreakerStats
from core.resilience.window import Window

log = logging.getLogger(__name__)

EVENTS = 100
BEFORE_SECONDS = 0.005  # Callers start their own watch a moment before or after they ask.


class CircuitBreaker:
    """Counts outcomes over a sliding window; safe from threads, each call O(1).

    `failures_in_a_row` opens without waiting for the rate: after a busy time the window is full of successes, and a server that
    is seldom asked never fills it.
    `slow_call_rate` above 1 never opens. `open_seconds` grows by `growth` with every trial that fails, up to
    `open_seconds_most`. `trial_seconds` is when trial calls that did not report are replaced.
    """

    def __init__(
        self,
        name: str,
        *,
        failure_rate: float = 0.5,
        slow_call_rate: float = 0.8,
        slow_call_seconds: float = 5.0,
        window_seconds: float = 10.0,
        minimum_calls: int = 10,
        failures_in_a_row: int = 10,
        open_seconds: float = 1.0,
        open_seconds_most: float = 30.0,
        growth: float = 2.0,
        half_open_calls: int = 3,
        trial_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[BreakerEvent], None] | None = None,
    ) -> None:
        self.name = name
        self._failure_rate = failure_rate
        self._slow_rate = slow_call_rate
        self._slow_seconds = slow_call_seconds
        self._minimum_calls = minimum_calls
        self._most_in_a_row = failures_in_a_row
        self._in_a_row = 0
        self._open_seconds = open_seconds
        self._open_seconds_most = open_seconds_most
        self._growth = growth
        self._half_open_calls = half_open_calls
        self._trial_seconds = trial_seconds
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.Lock()
        self._window_seconds = window_seconds
        self._window = Window(window_seconds)
        self._state: BreakerState = "closed"
        self._passes = True  # Read without the lock: the way of nearly every call.
        self._began_at = clock()
        self._since = _now()
        self._retry_at = 0.0
        self._wait_seconds = open_seconds
        self._quota = 0
        self._quota_at = 0.0
        self._refused = self._trials = 0
        self._last_error = ""
        self._events: deque[BreakerEvent] = deque(maxlen=EVENTS)

    @property
    def state(self) -> BreakerState:
        """The state now; an open breaker becomes half open only when it is asked."""
        return self._state

    def allow(self) -> bool:
        """Whether a call may be made; whoever got True reports with `success`, `failure` or `abandon`."""
        return self._passes or self._allow_trial()

    def success(self, seconds: float) -> None:
        """The call was answered after this time."""
        self._record(seconds, failed=False)

    def failure(self, seconds: float, error: BaseException) -> None:
        """The call failed after this time in a way that speaks against the server."""
        self._last_error = str(error) or type(error).__name__
        self._record(seconds, failed=True)

    def abandon(self, seconds: float = 0.0) -> None:
        """The call was cancelled after this time: it says nothing, and a trial call may be made in its place."""
        with self._lock:
            if self._state == "half_open" and not self._is_older(self._clock(), seconds):
                self._quota = min(self._quota + 1, self._half_open_calls)

    @contextmanager
    def guard(self, counts: type[BaseException] | tuple[type[BaseException], ...] = DependencyError) -> Iterator[None]:
        """Report what the block does; raises BreakerOpen. An Exception that does not count is an answer."""
        if not self.allow():
            raise BreakerOpen(f"{self.name} is left alone: {self._last_error or 'opened by hand'}")
        started = self._clock()
        try:
            yield
        except counts as error:
            self.failure(self._clock() - started, error)
            raise
        except Exception:
            self.success(self._clock() - started)
            raise
        except BaseException:
            self.abandon(self._clock() - started)
            raise
        self.success(self._clock() - started)

    def open(self, who: str, why: str) -> None:
        """Refuse every call until `close` or `automatic`."""
        self._force("forced_open", who, why)

    def close(self, who: str, why: str) -> None:
        """Let every call through, whatever it meets, until `open` or `automatic`."""
        self._force("forced_closed", who, why)

    def automatic(self, who: str, why: str = "") -> None:
        """Begin anew: closed, with an empty window."""
        self._force("closed", who, why)

    def events(self) -> tuple[BreakerEvent, ...]:
        """The last changes of state, oldest first, without the trials of an outage."""
        with self._lock:
            return tuple(self._events)

    def stats(self) -> BreakerStats:
        """State and window now."""
        with self._lock:
            now, window = self._clock(), self._window
            window.turn(now)
            calls = window.calls or 1
            return BreakerStats(
                name=self.name,
                state=self._state,
                since=self._since,
                calls=window.calls,
                failures=window.failures,
                slow=window.slow,
                failure_rate=window.failures / calls,
                slow_rate=window.slow / calls,
                refused=self._refused,
                trials=self._trials,
                retry_in_seconds=max(self._retry_at - now, 0.0) if self._state == "open" else None,
                last_error=self._last_error,
            )

    def _record(self, seconds: float, *, failed: bool) -> None:
        slow = seconds >= self._slow_seconds
        event = None
        with self._lock:
            now, state = self._clock(), self._state
            if state in ("open", "forced_open") or self._is_older(now, seconds):
                return
            window = self._window
            window.add(now, failed=failed, slow=slow)
            self._in_a_row = self._in_a_row + 1 if failed else 0
            if (window.failures or window.slow or state == "half_open") and state != "forced_closed":
                event = self._judge_trial(now) if state == "half_open" else self._judge(now)
        self._report(event)

    def _is_older(self, now: float, seconds: float) -> bool:
        """Whether a call began before the present state and so belongs to the time before."""
        return now - seconds < self._began_at - BEFORE_SECONDS

    def _judge(self, now: float) -> BreakerEvent | None:
        window = self._window
        calls = window.calls
        if self._in_a_row >= self._most_in_a_row:
            reason = f"{self._in_a_row} calls in a row failed, the last with: {self._last_error}"
        elif calls < self._minimum_calls:
            return None
        elif window.failures >= self._failure_rate * calls:
            reason = f"{window.failures} of {calls} calls failed, the last with: {self._last_error}"
        elif window.slow >= self._slow_rate * calls:
            reason = f"{window.slow} of {calls} calls took {self._slow_seconds:g} s or more"
        else:
            return None
        self._wait_seconds = self._open_seconds
        return self._become("open", now, reason)

    def _judge_trial(self, now: float) -> BreakerEvent | None:
        """A verdict as soon as the calls that are still out cannot change it."""
        window, wanted = self._window, self._half_open_calls
        left = max(wanted - window.calls, 0)
        total = window.calls + left
        if window.failures >= self._failure_rate * total or window.slow >= self._slow_rate * total:
            self._wait_seconds = min(self._wait_seconds * self._growth, self._open_seconds_most)
            self._trials += 1
            return self._become("open", now, f"the trial failed: {window.failures} failed, {window.slow} slow")
        if window.failures + left < self._failure_rate * total and window.slow + left < self._slow_rate * total:
            return self._become("closed", now, f"the trial went well: {window.calls - window.failures} answers")
        return None

    def _allow_trial(self) -> bool:
        event = None
        with self._lock:
            now = self._clock()
            if self._state == "open" and now >= self._retry_at:
                event = self._become("half_open", now, f"a trial after {self._wait_seconds:g} s")
            allowed = self._passes or (self._state == "half_open" and self._take_quota(now))
            self._refused += not allowed
        self._report(event)
        return allowed

    def _take_quota(self, now: float) -> bool:
        if not self._quota and now - self._quota_at >= self._trial_seconds:
            self._quota = self._half_open_calls
        if not self._quota:
            return False
        self._quota -= 1
        self._quota_at = now
        return True

    def _force(self, state: BreakerState, who: str, why: str) -> None:
        with self._lock:
            event = self._become(state, self._clock(), why, who)
        self._report(event)

    def _become(self, state: BreakerState, now: float, reason: str, who: str = "") -> BreakerEvent:
        event = BreakerEvent(_now(), self._state, state, reason, who)
        if not event.is_trial:
            self._events.append(event)
            self._since = event.at
            self._refused = self._trials = 0
        self._state, self._began_at, self._in_a_row = state, now, 0
        self._passes = state in ("closed", "forced_closed")
        self._retry_at = now + self._wait_seconds
        self._quota, self._quota_at = self._half_open_calls, now
        if state != "open":  # The window that opened it stays to be seen.
            self._window = Window(math.inf if state == "half_open" else self._window_seconds)
        return event

    def _report(self, event: BreakerEvent | None) -> None:
        """Outside of the lock: who listens may ask the breaker."""
        if event is None:
            return
        level = logging.DEBUG if event.is_trial else logging.WARNING  # An outage of a day has thousands of trials.
        log.log(level, "breaker_%s name=%s reason=%r who=%r", event.new, self.name, event.reason, event.who)
        if self._on_change is not None:
            try:
                self._on_change(event)
            except Exception:
                log.exception("breaker_listener_failed name=%s", self.name)


def _now() -> datetime:
    return datetime.now(UTC)
