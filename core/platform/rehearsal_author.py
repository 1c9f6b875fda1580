"""Rehearsal author: what the rehearsal answers to the prompts that ship, so that without a key an answer still holds.

Owns that nothing in it is invented: leads are judged by the rules from the bands in the prompt, texts say the values that the
prompt has. None for every other request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from core.platform.canonical import NEVER, UNKNOWN, CanonicalLead
from core.platform.lead_analysis import RECOMMENDATION_CHARACTERS_MOST
from core.platform.recommendations import CLOSED_STAGES
from core.platform.scoring import RulesScore, score_lead

_TAGGED = re.compile(r"<(lead|listing|market)>\n(.*?)\n</\1>", re.DOTALL)
_LINE = re.compile(r"^([a-z_]+): (.+)$", re.MULTILINE)
_TYPES = {
    "single_family": "house", "condo": "condominium", "townhouse": "townhouse", "multi_family": "multi-family building",
    "apartment": "apartment", "land": "parcel of land",
}  # fmt: skip
QUESTIONS = {
    "budget": "What price range do you have in mind?",
    "property_type": "Which type of home are you looking for?",
    "last_activity": "Are you still looking for a home?",
}
OTHERWISE = "When would you like to have moved?"


def rehearsal_author(body: Mapping[str, Any]) -> str | None:
    """The text for a request of the Messages API, or None where it is none of the shipped prompts."""
    tagged = _TAGGED.search(_last_text(body))
    if tagged is None:
        return None
    if tagged[1] == "lead":
        lead = CanonicalLead.find(tagged[2])
        return None if lead is None else _of_lead(lead, _wanted(body))
    values = _values(tagged[2])
    return _listing(values) if tagged[1] == "listing" else _market(values)


def _of_lead(lead: CanonicalLead, wanted: frozenset[str]) -> str | None:
    score = score_lead(lead.facts())
    if "intent_score" in wanted:
        return orjson.dumps(asdict(score.analysis())).decode()
    if "qualification_level" in wanted:
        return orjson.dumps(_qualification(lead, score)).decode()
    return None


def _qualification(lead: CanonicalLead, score: RulesScore) -> Mapping[str, str]:
    closed = lead.facts().stage in CLOSED_STAGES
    levels = {"immediate": "qualified", "3-months": "promising", "6-months": "promising", "exploring": "early"}
    level = "closed" if closed else levels[score.buying_timeline]
    activity = lead.last_activity if lead.last_activity in (NEVER, UNKNOWN) else f"last active {lead.last_activity}"
    activity = "last activity not known" if activity == UNKNOWN else activity
    reason = f"By the rules: stage {lead.stage}, interactions in 30 days {lead.interactions}, {activity}."
    unknown = next((name for name in QUESTIONS if getattr(lead, name) == UNKNOWN), None)
    question = "" if closed else QUESTIONS.get(unknown or "", OTHERWISE)
    return {"qualification_level": level, "reason": reason[:RECOMMENDATION_CHARACTERS_MOST], "next_question": question}


def _listing(values: Mapping[str, Any]) -> str:
    """A plain text of the listing's values; the seller's own notes are left out, since nobody has read them."""
    kind = _TYPES.get(str(values.get("property_type")), "property")
    place = [str(values[name]) for name in ("address", "neighborhood") if values.get(name)]
    sentences = [f"This {kind}" + (f" stands at {', '.join(place)}." if place else " is for sale.")]
    rooms = [
        f"{values[name]:g} {noun if values[name] != 1 else noun[:-1]}"
        for name, noun in (("bedrooms", "bedrooms"), ("bathrooms", "bathrooms"))
        if _is_number(values.get(name)) and values[name] > 0
    ]
    if rooms:
        sentences.append(f"It has {' and '.join(rooms)}.")
    if _is_number(values.get("square_feet")):
        sentences.append(f"The living area is {values['square_feet']:,.0f} square feet.")
    if _is_number(values.get("year_built")):
        sentences.append(f"It was built in {values['year_built']:.0f}.")
    if _is_number(values.get("price_usd")):
        sentences.append(f"The asking price is {values['price_usd']:,.0f} dollars.")
    return " ".join(sentences)


def _market(values: Mapping[str, Any]) -> str:
    figures = [str(line) for line in values.get("figures") or ()]
    said = "; ".join(figures) if figures else "no figures are known"
    return f"{values.get('name') or 'This market'}: {said}."


def _values(lines: str) -> Mapping[str, Any]:
    """The values of lines `name: JSON`; a line that is none is left out."""
    values: dict[str, Any] = {}
    for name, written in _LINE.findall(lines):
        try:
            values[name] = orjson.loads(written)
        except orjson.JSONDecodeError:
            continue
    return values


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wanted(body: Mapping[str, Any]) -> frozenset[str]:
    """The names that the request's schema asks for."""
    config = body.get("output_config")
    form = config.get("format") if isinstance(config, Mapping) else None
    schema = form.get("schema") if isinstance(form, Mapping) else None
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return frozenset(properties) if isinstance(properties, Mapping) else frozenset()


def _last_text(body: Mapping[str, Any]) -> str:
    """The texts of the user's turns: a repair comes after the turn with the facts."""
    texts: list[str] = []
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, Mapping) and message.get("role") == "user":
            texts += _texts(message.get("content"))
    return "\n".join(texts)


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    blocks = content if isinstance(content, list) else []
    return [str(block["text"]) for block in blocks if isinstance(block, Mapping) and "text" in block]
