"""Marks: what happened at a moment or over a time, drawn on the time axis of the live charts."""
