"""Messages of the bus: what is written is read again, and rubbish is refused."""

from __future__ import annotations

import pytest

from core.cache.coherence.messages import Heartbeat, KeyChanged, TagChanged, heartbeat_message, key_message, parse, tag_message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (key_message("lead:7", 0), KeyChanged("lead:7", 0)),
        (key_message("property_search:a:b|ü", (1 << 63) - 1), KeyChanged("property_search:a:b|ü", (1 << 63) - 1)),
        (tag_message("market:austin", 255), TagChanged("market:austin", 255)),
        (heartbeat_message(0xABC, 12), Heartbeat(0xABC, 12)),
    ],
)
def test_a_message_is_read_as_it_was_meant(text, message):
    """Colons in keys and tags stay where they are."""
    assert parse(text.encode()) == message


@pytest.mark.parametrize("data", [b"", b"k", b"k:", b"k:zz:lead:7", b"x:1:y", b"h:1:first", b"k:1:\xff", b"hello"])
def test_rubbish_is_refused(data):
    """Whatever is no message is a ValueError, so that the reader can count it."""
    with pytest.raises(ValueError):  # noqa: PT011  # int(), decode() and unpacking each say it in their own words
        parse(data)
