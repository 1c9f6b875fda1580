"""One lead on the leads page: what is known of it, and what the rules make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.platform.lead_analyses import AnalysedLead
from core.platform.lead_analysis import LeadAnalysis
from core.platform.panel import Panel
from core.platform.scoring import RulesScore, ScorePart
from core.platform.subjects import Subject
from core.ui.lead_words import (
    TIMELINES,
    activity_words,
    budget_words,
    optional,
    score_look,
    since,
    source_words,
    subject_name,
    words,
)
from core.ui.text import plain

LONG_NOTES_CHARACTERS = 600


def draw_headline(found: AnalysedLead) -> None:
    """The answer to the page's question in one line, and what to do next."""
    analysis = found.analysis
    colour, icon = score_look(analysis.intent_score)
    when = TIMELINES[analysis.buying_timeline]
    when = when if analysis.buying_timeline == "exploring" else f"may buy {when}"
    name = plain(subject_name(found.subject))
    st.title(f":{colour}[:material/{icon}:] {name}: {analysis.intent_score} of 100, {when}", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        if found.rehearsal and found.source != "rules":
            st.badge("REHEARSAL", color="violet", icon=":material/theater_comedy:", width="content")
        st.markdown(f"**Next:** {plain(analysis.recommendations[0])} :gray[({source_words(found)})]", width="content")


def draw_title(words: str) -> None:
    """A first line where no lead is open."""
    st.title(words, anchor=False)


def draw_best(listed: Panel[Sequence[Mapping[str, Any]]]) -> None:
    """The first line while no lead is chosen: who stands on top of the list."""
    if listed.value is None:
        st.title(f":orange[:material/help:] Cannot tell: {plain(listed.error.rstrip('.'))}", anchor=False)
        st.markdown(f"**Next:** {plain(listed.next_step)}")
    elif not listed.value:
        st.title(":gray[:material/person_off:] No open lead fits", anchor=False)
    else:
        best = listed.value[0]
        name = plain(str(best.get("name") or f"Lead {best['id']}"))
        score = f", with a stored score of {best['score']}" if best.get("score") is not None else ""
        st.title(f":material/person_search: {name} stands first{score}", anchor=False)
        st.markdown("**Next:** Choose a lead to see how promising it is, why, and what to do.")


def draw_facts(panel: Panel[Subject]) -> None:
    """What is known of the lead, and how old that is."""
    subject = panel.value
    if subject is None:
        return
    with st.container(border=True):
        st.markdown("**What is known**")
        facts = _stored(subject) if subject.lead_id is not None else _described(subject)
        with st.grid(3, min_column_width=120):
            for label, value in facts.items():
                st.markdown(f":small[:gray[{label}]]  \n{plain(value)}")
        if subject.lead_id is None:
            st.caption("Described here: nothing of it is stored.")
            return
        _notes(subject.lead.get("notes"))
        stale = f" · :orange[{plain(panel.error)} {plain(panel.next_step)}]" if panel.error else ""
        synthetic = " · synthetic" if subject.lead.get("synthetic") else ""
        st.caption(f"Lead {plain(str(subject.lead_id))}{synthetic} · {panel.age_seconds:.0f} s old{stale}")


def _stored(subject: Subject) -> dict[str, str]:
    lead, now = subject.lead, datetime.now(UTC)
    market = subject.market.name if subject.market else optional(lead, "market_id")
    return {
        "Budget": optional(lead, "budget_range"),
        "Looks for": words(lead.get("property_type")),
        "Stage": words(lead.get("status")),
        "Market": market,
        "Last contact": since(lead.get("last_interaction_at"), now),
        "Stored score": optional(lead, "score"),
        "Source": words(lead.get("source")),
        "Agent": optional(lead, "assigned_agent_id"),
        "E-mail": optional(lead, "email"),
        "Phone": optional(lead, "phone"),
        "Known for": since(lead.get("created_at"), now).removesuffix(" ago"),
    }


def _described(subject: Subject) -> dict[str, str]:
    facts = subject.facts
    return {
        "Budget": budget_words(facts),
        "Looks for": words(facts.property_type),
        "Stage": words(facts.stage),
        "Market": subject.market.name if subject.market else words(None),
        "Interactions in 30 days": words(None) if facts.interactions is None else f"{facts.interactions:,}",
        "Last activity": activity_words(facts),
    }


def _notes(notes: Any) -> None:
    """Text of a person, shown as text: it is never a part of a prompt."""
    if not notes:
        return
    st.markdown(":small[:gray[Notes: shown as they are, and never part of a prompt]]")
    text = str(notes)
    st.code(text, language=None, wrap_lines=True, height=160 if len(text) > LONG_NOTES_CHARACTERS else "content")


def draw_numbers(value: Mapping[str, Any]) -> None:
    """The four figures of an analysis, those that are known."""
    timeline = value.get("buying_timeline")
    figures = {
        "Intent": f"{value['intent_score']}" if value.get("intent_score") is not None else "…",
        "Buys": TIMELINES.get(str(timeline), str(timeline)) if timeline else "…",
        "Price sensitivity": str(value.get("price_sensitivity") or "…"),
        "Engagement": str(value.get("engagement_level") or "…"),
    }
    with st.grid(4, min_column_width=100):
        for label, text in figures.items():
            of = " :small[:gray[of 100]]" if label == "Intent" and text != "…" else ""
            st.markdown(f":small[:gray[{label}]]  \n**{plain(text)}**{of}")


def draw_recommendations(texts: Any) -> None:
    """What to do next, most useful first."""
    if texts:
        st.markdown("\n".join(f"{place}. {plain(str(text))}" for place, text in enumerate(texts, start=1)))


def draw_judgement(analysis: LeadAnalysis) -> None:
    """What an analysis says, whoever made it."""
    draw_numbers(
        {
            "intent_score": analysis.intent_score,
            "buying_timeline": analysis.buying_timeline,
            "price_sensitivity": analysis.price_sensitivity,
            "engagement_level": analysis.engagement_level,
        }
    )
    draw_recommendations(analysis.recommendations)


def draw_rules(rules: RulesScore) -> DeltaGenerator:
    """The rules' judgement, and the points of each part."""
    box = st.container(border=True)
    with box:
        st.markdown("**The rules say**")
        analysis = rules.analysis()
        draw_judgement(analysis)
        st.markdown("**Why**: each part's points of what it could give")
        for part in sorted(rules.parts, key=lambda part: -part.points):
            _part(part)
        if rules.missing:
            st.markdown("**What is missing**: " + " ".join(plain(text) for text in rules.missing))
        with st.expander("What was left out, and how it is weighed", icon=":material/balance:"):
            st.markdown("\n".join(f"- {plain(text)}" for text in (*rules.left_out, rules.how_weighed)))
    return box


def _part(part: ScorePart) -> None:
    """One bar: how much of the part's weight was reached, and the fact behind it."""
    if part.value is None:
        return
    points = f"{part.points:.1f} of {100 * part.weight:.1f}"
    st.progress(min(1.0, max(0.0, part.value)), text=f"**{plain(part.title)}** {points} · {plain(part.fact)}")
