"""Warming: plans as data, their runs, their schedule."""
