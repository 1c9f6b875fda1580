"""Coherence: how processes learn what the others changed, and what must not be stored after a change."""
