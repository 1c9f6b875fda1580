"""Models: what each route takes and gives, as pydantic models that both validate and describe.

Owns the bounds of every parameter. Refuses NaN and infinities, and text with NUL, which PostgreSQL cannot store.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints

from core.database.schema import INTERACTION_TYPES, PROPERTY_TYPES
from core.monitor.marks.mark import LINK, LINK_MOST, TEXT_MOST, WHO_MOST, in_reach, one_line
from core.platform.leads import MOST_LEADS, OPEN_STATUSES
from core.platform.properties import MOST_BEDROOMS, MOST_PRICE, MOST_PROPERTIES
from core.platform.search import SLUG_MOST_CHARACTERS, WORDS_MOST_CHARACTERS

MAX_EVENTS = 1_000
MAX_DETAILS_BYTES = 16_384
_RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _storable(text: str) -> str:
    if "\x00" in text or any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise ValueError("holds a NUL or half of a surrogate pair, which PostgreSQL cannot store")
    return text


def _storable_json(value: dict[str, Any]) -> dict[str, Any]:
    try:
        encoded = orjson.dumps(value)
    except TypeError as error:
        raise ValueError(f"is not JSON that can be stored: {error}") from None
    if b"\\u0000" in encoded:
        raise ValueError("holds a NUL, which PostgreSQL cannot store")
    if len(encoded) > MAX_DETAILS_BYTES:
        raise ValueError(f"is larger than {MAX_DETAILS_BYTES} bytes")
    return value


def _moment(value: object) -> object:
    """Only RFC 3339 text: pydantic alone would also take numbers as seconds since 1970."""
    if value is None or isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise ValueError("is not a time as RFC 3339 writes it, such as 2026-05-01T12:00:00Z")
    return value


def _markable(moment: datetime) -> datetime:
    if not in_reach(moment):
        raise ValueError("is in the future, or more than 14 days ago")
    return moment


def _words(text: str) -> str:
    if not one_line(text):
        raise ValueError("has no sign that can be shown")
    return text


def _member_of(words: tuple[str, ...]) -> AfterValidator:
    def check(text: str) -> str:
        if text not in words:
            raise ValueError(f"is one of {', '.join(words)}")
        return text

    return AfterValidator(check)


Text = Annotated[str, AfterValidator(_storable), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})]
Slug = Annotated[Text, StringConstraints(min_length=1, max_length=SLUG_MOST_CHARACTERS)]
ShortText = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
Json = Annotated[dict[str, Any], AfterValidator(_storable_json)]
Price = Annotated[float, Field(ge=0, le=MOST_PRICE, allow_inf_nan=False)]
PropertyType = Annotated[str, _member_of(PROPERTY_TYPES), Field(json_schema_extra={"enum": list(PROPERTY_TYPES)})]
InteractionType = Annotated[str, _member_of(INTERACTION_TYPES), Field(json_schema_extra={"enum": list(INTERACTION_TYPES)})]
LeadStatus = Annotated[str, _member_of(OPEN_STATUSES), Field(json_schema_extra={"enum": list(OPEN_STATUSES)})]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
MarkMoment = Annotated[Moment, AfterValidator(_markable)]
MarkText = Annotated[Text, StringConstraints(min_length=1, max_length=TEXT_MOST), AfterValidator(_words)]
MarkWho = Annotated[Text, StringConstraints(min_length=1, max_length=WHO_MOST), AfterValidator(_words)]
MarkLink = Annotated[str, StringConstraints(max_length=LINK_MOST, pattern=f"^{LINK.pattern}$")]
Id = int | UUID | str


class Model(BaseModel):
    """Parameters and bodies; what is not known is ignored in a query and refused in a body."""

    model_config = ConfigDict(frozen=True)


class Body(BaseModel):
    """A JSON body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LeadQuery(Model):
    """Parameters of the lead list."""

    market: Slug | None = Field(None, description="slug of a market, such as austin")
    status: LeadStatus | None = Field(None, description="only leads of this open status; hot for those to call now")
    min_score: int = Field(50, ge=0, le=100)
    limit: int = Field(100, ge=1, le=MOST_LEADS)


class PropertyQuery(Model):
    """Parameters of the property search."""

    market: Slug | None = Field(None, description="slug of a market, such as austin")
    min_price: Price | None = Field(None, description="US dollars")
    max_price: Price | None = Field(None, description="US dollars")
    property_type: PropertyType | None = None
    min_bedrooms: int | None = Field(None, ge=0, le=MOST_BEDROOMS)
    q: Annotated[Text, StringConstraints(max_length=WORDS_MOST_CHARACTERS)] | None = Field(
        None, description="words, as a web search writes them"
    )
    limit: int = Field(50, ge=1, le=MOST_PROPERTIES)


class Interaction(Body):
    """What a lead did."""

    lead_id: StrictInt = Field(ge=-(2**63), le=2**63 - 1)
    interaction_type: InteractionType
    details: Json | None = None
    occurred_at: Moment | None = Field(None, description="RFC 3339; now when it is left out")


class AnalyticsEvent(Body):
    """What happened on the platform."""

    event_type: ShortText
    market: Slug | None = None
    user_id: ShortText | None = None
    properties: Json | None = None
    occurred_at: Moment | None = Field(None, description="RFC 3339; now when it is left out")


class EventBatch(Body):
    """A batch of events; each is judged alone."""

    events: list[dict[str, Any]] = Field(
        min_length=1,
        max_length=MAX_EVENTS,
        description="each an Interaction (with lead_id) or an AnalyticsEvent (with event_type)",
    )


class MarkBody(Body):
    """A mark on the timeline."""

    kind: Literal["deploy", "change", "note"] = "note"
    text: MarkText = Field(description="what happened, in one line")
    at: MarkMoment | None = Field(None, description="RFC 3339, of the last 14 days; now when it is left out")
    who: MarkWho | None = Field(None, description="whose doing it is, such as the name of a pipeline; api when it is left out")
    link: MarkLink | None = Field(None, description="where more is said: an address of the web, or a path of the console")


class RejectedEvent(Model):
    """One event of a batch that was not stored."""

    index: int
    reason: str


class EventsAnswer(Model):
    """What became of a batch."""

    accepted: int
    rejected: list[RejectedEvent]


class MarkAnswer(Model):
    """A mark as it is kept."""

    id: int | None = Field(description="null while it waits for the console's store")
    kind: str
    text: str
    marked_by: str
    marked_at: datetime
    link: str
    stored: Literal["new", "known", "waiting"]


class Market(Model):
    """A market with its latest figure of each kind."""

    id: str
    name: str
    state: str | None
    avg_price: float | None
    data_from: date | None
    data_to: date | None
    note: str | None
    latest: dict[str, Any]


class MarketDetailAnswer(Market):
    """A market with all its monthly figures, oldest first."""

    series: dict[str, Any]


class LeadAnswer(Model):
    """One lead of the list, with what it did in the last 30 days."""

    id: Id
    market_id: str
    name: str | None
    status: str
    score: float
    budget_range: str | None
    property_type: str | None
    property_preferences: Any
    assigned_agent_id: Any
    last_interaction_at: datetime | None
    created_at: datetime | None
    synthetic: bool | None
    interaction_count: int
    email_engagement: float = Field(description="share of the 30 days' interactions that opened an e-mail, 0 to 1")


class LeadDetailAnswer(Model):
    """One lead with everything that is known of it and its newest 200 interactions."""

    model_config = ConfigDict(frozen=True, extra="allow")
    id: Id
    market_id: str
    status: str
    score: float
    interactions: list[dict[str, Any]]


class PropertyAnswer(Model):
    """One listing."""

    model_config = ConfigDict(frozen=True, extra="allow")
    id: Id
    market_id: str
    market_name: str
    price: float
    property_type: str
    listing_date: date


class Problem(Model):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    next_step: str | None = None
    kind: str | None = None
    errors: list[dict[str, Any]] | None = None


def list_of(item: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a list of this model."""
    return {"type": "object", "required": ["items"], "properties": {"items": {"type": "array", "items": ref(item)}}}


def ref(model: type[BaseModel]) -> dict[str, Any]:
    """A reference to a model in an OpenAPI document."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}
