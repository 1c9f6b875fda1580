"""Tests of the embedded servers, against real ones."""
