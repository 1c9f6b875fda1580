"""Streamed: a stream of the services read by a page, several side by side, with a stop.

Owns the way of text from the services' loop to a script's thread. What has arrived is taken in batches, so a fast answer is
drawn no more often than a slow one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, TypeVar

import streamlit as st

from core import runtime

T = TypeVar("T")
BATCH_SECONDS = 0.08


class Streamed(Generic[T]):
    """One stream of text that ends with a result; closing it ends the work behind it."""

    def __init__(self, stream: AsyncIterator[str | T]) -> None:
        self._lock = threading.Lock()
        self._arrived: list[str] = []
        self._work = runtime.get().gate.start(self._pump(stream))

    @property
    def over(self) -> bool:
        """Whether no more text comes."""
        return self._work.done()

    @property
    def text(self) -> str:
        """All text that has arrived; any number of readers see the same."""
        with self._lock:
            self._arrived = ["".join(self._arrived)]
            return self._arrived[0]

    def result(self) -> T:
        """What the stream ended with; raises its error. Only once it is over."""
        return self._work.result(timeout=0)

    def close(self) -> None:
        """End the work, whether or not it is over."""
        self._work.cancel()

    async def _pump(self, stream: AsyncIterator[str | T]) -> T:
        last: list[T] = []
        try:
            async for piece in stream:
                if isinstance(piece, str):
                    with self._lock:
                        self._arrived.append(piece)
                else:
                    last.append(piece)
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
        return last[0]


def draw_until_over(streams: Sequence[Streamed[T]], draw: Callable[[int, str], None]) -> None:
    """Call `draw(position, whole text so far)` for what is new in each stream until all are over; a rerun ends it."""
    texts = [""] * len(streams)
    while True:
        over = all(stream.over for stream in streams)
        for position, stream in enumerate(streams):
            if (text := stream.text) != texts[position]:
                texts[position] = text
                draw(position, text)
        # Here Streamlit ends the script that a rerun has replaced, also while no text comes: the new one may have closed these.
        st.session_state.get("_")
        if over:
            return
        time.sleep(BATCH_SECONDS)
