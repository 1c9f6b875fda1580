"""Phrases that an advertisement of a home should not have: found with their place, and harmless ones left alone."""

from __future__ import annotations

import pytest

from core.platform.fair_housing import check_text


@pytest.mark.parametrize(
    ("text", "phrase", "protected_class", "level"),
    [
        ("Perfect for families!", "Perfect for families", "familial_status", "look"),
        ("It is perfect for a growing family.", "perfect for a growing family", "familial_status", "look"),
        ("Sorry, no children.", "no children", "familial_status", "remove"),
        ("An adults-only building", "adults-only", "familial_status", "remove"),
        ("A 55+ building", "55+", "familial_status", "look"),
        ("In a safe neighborhood", "safe neighborhood", "steering", "look"),
        ("an exclusive\ncommunity", "exclusive\ncommunity", "steering", "look"),
        ("great schools close by", "great schools", "steering", "look"),
        ("walking distance to the church", "walking distance to the church", "religion", "look"),
        ("near St. Mary\u2019s Church", "near St. Mary\u2019s Church", "religion", "look"),
        ("a CHRISTIAN home", "CHRISTIAN home", "religion", "remove"),
        ("a white neighborhood", "white neighborhood", "race", "remove"),
        ("Hispanic community", "Hispanic community", "national_origin", "remove"),
        ("English speakers only", "English speakers only", "national_origin", "remove"),
        ("able\u2011bodied tenants", "able\u2011bodied", "disability", "remove"),
        ("female roommate preferred", "female roommate preferred", "sex", "remove"),
        ("a real bachelor pad", "bachelor pad", "sex", "look"),
    ],
)
def test_a_phrase_is_found_where_it_stands(text: str, phrase: str, protected_class: str, level: str) -> None:
    """With its class, the reason and better words."""
    (finding,) = check_text(text)
    assert (finding.text, finding.protected_class, finding.level) == (phrase, protected_class, level)
    assert text[finding.start : finding.end] == phrase
    assert finding.reason
    assert finding.instead in finding.sentence


@pytest.mark.parametrize(
    "text",
    [
        "Single-family home with a family room, a master bedroom and a mother-in-law suite.",
        "White kitchen, black granite, Italian marble, French doors, a bright white area rug, Indian sandstone.",
        "Close to Church Street and Temple Park; Black Street lies south.",
        "Walk-in closets, jogging trails, walking distance to the bus stop, a fourth-floor walk-up.",
        "Wheelchair-accessible entrance with a ramp. No pets, no smoking.",
        "Gated community with a playground; private yard, exclusive of furniture; quiet street; desirable neighborhood.",
        "A multi-family building of two units; each has one bedroom. Sold as is by the owner.",
        "",
    ],
)
def test_harmless_words_are_left_alone(text: str) -> None:
    """What is said of a building, and what HUD's memorandum of 1995 names as harmless."""
    assert check_text(text) == ()


def test_findings_come_in_the_order_of_the_text() -> None:
    """Each place once."""
    text = "Ideal for young professionals in an exclusive enclave, no kids, good schools."
    found = check_text(text)
    assert [one.text for one in found] == ["Ideal for young professionals", "exclusive enclave", "no kids", "good schools"]
