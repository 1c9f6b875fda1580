"""Kinds: what can be imported, and for each the fields that a column may fill.

Owns the contract of an import: the types, bounds and words of the tables' CHECKs, so that what passes here
is accepted there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from core.database.schema import INTERACTION_TYPES, LEAD_STATUSES, MARKET_DATA_TYPES, PROPERTY_STATUSES, PROPERTY_TYPES
from core.errors import ImportFileError

FieldType = Literal["text", "word", "integer", "number", "date", "month", "timestamp", "market", "details"]

LONG_TEXT = 20_000  # A description of 3,000 words; what is longer is a wrong delimiter or a stray quote.
SMALLINT_MOST, INTEGER_MOST, BIGINT_MOST = 32_767, 2_147_483_647, 9_223_372_036_854_775_807


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that a column may fill; bounds are inclusive, but `above` is not, and `most` of a text is its length."""

    name: str
    type: FieldType
    help: str = ""
    required: bool = False
    synonyms: str = ""
    words: tuple[str, ...] = ()
    least: float | None = None
    above: float | None = None
    most: float | None = None
    default: str | None = None
    stored: bool = True
    suggested: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of import: its table, its fields, and what tells two rows apart when the file has no id."""

    name: str
    table: str
    title: str
    fields: tuple[Field, ...]
    identity: tuple[str, ...]
    key: tuple[str, ...]
    one_of: tuple[tuple[str, ...], ...] = field(default=())

    def field(self, name: str) -> Field:
        """A field by name, `details.anything` included; raises ImportFileError."""
        head = name.partition(".")[0]
        for item in self.fields:
            if name == item.name or (item.type == "details" and head == item.name and name != head):
                return item
        names = ", ".join(item.name + (".<key>" if item.type == "details" else "") for item in self.fields)
        raise ImportFileError(f"{self.title} have no field {name!r}.", f"The fields are: {names}.")


def _text(name: str, synonyms: str = "", most: int = 500, **options: object) -> Field:
    return Field(name=name, type="text", synonyms=synonyms, most=most, **options)  # type: ignore[arg-type]


def _number(name: str, synonyms: str = "", **options: object) -> Field:
    return Field(name=name, type="number", synonyms=synonyms, **options)  # type: ignore[arg-type]


def _integer(name: str, synonyms: str = "", **options: object) -> Field:
    return Field(name=name, type="integer", synonyms=synonyms, **options)  # type: ignore[arg-type]


EXTERNAL_ID = _text(
    "external_id", "id uid uuid listing_id lead_id mls mls_number reference", 200, help="the id in the other system"
)
MARKET = Field(name="market", type="market", synonyms="market_id city cityname market_name", help="slug or name of a market")
STATE = _text("state", "state_code", 50, stored=False, help="two letters; a row counts only if its market lies there")
CREATED = Field(name="created_at", type="timestamp", synonyms="created date_created created_on timestamp", default="now")

PROPERTIES = Kind(
    name="properties", table="properties", title="Properties",
    fields=(
        EXTERNAL_ID, MARKET, STATE,
        _text("address", "street street_address full_address"),
        _text("neighborhood", "neighbourhood subdivision district"),
        _text("description", "remarks public_remarks", LONG_TEXT),
        Field(name="property_type", type="word", words=PROPERTY_TYPES, required=True, synonyms="type home_type"),
        Field(name="status", type="word", words=PROPERTY_STATUSES, default="active", synonyms="listing_status"),
        _number("price", "list_price sale_price asking_price amount", required=True, above=0, least=0.01, most=9_999_999_999.99,
                help="US dollars"),
        _integer("bedrooms", "beds bed br bedroom", least=0, most=SMALLINT_MOST),
        _number("bathrooms", "baths bath ba bathroom", least=0, most=99.99),
        _integer("half_bathrooms", "halfbaths half_baths", least=0, most=99, stored=False, help="each adds 0.5 to bathrooms"),
        _integer("square_feet", "sqft square_footage living_area tla area", above=0, most=INTEGER_MOST),
        _integer("lot_square_feet", "lotsize lot_size lot_sqft", least=0, most=INTEGER_MOST),
        _integer("year_built", "yrbuilt built", least=1600, most=2200),
        _number("latitude", "lat", least=-90, most=90),
        _number("longitude", "lon lng long", least=-180, most=180),
        Field(name="listing_date", type="date", required=True, synonyms="list_date listed date_listed sale_date date"),
        CREATED,
    ),
    identity=("address", "latitude", "longitude", "property_type", "bedrooms", "square_feet", "price", "listing_date"),
    key=("market_id", "external_id"),
)  # fmt: skip

LEADS = Kind(
    name="leads", table="leads", title="Leads",
    fields=(
        EXTERNAL_ID, MARKET, STATE,
        _text("name", "full_name lead_name contact_name", 300), _text("email", "email_address e_mail mail", 320),
        _text("phone", "phone_number telephone mobile cell", 100),
        Field(name="status", type="word", words=LEAD_STATUSES, default="new", synonyms="lead_status stage"),
        _integer("score", "lead_score rating", least=0, most=100, default="0", help="0 to 100"),
        _text("budget_range", "budget", 50), _text("notes", "note comments comment", LONG_TEXT),
        Field(name="property_type", type="word", words=PROPERTY_TYPES, synonyms="wanted_type", help="what the lead looks for"),
        _text("source", "lead_source channel", 100, default="import"),
        _text("assigned_agent_id", "agent agent_id owner assigned_to", 100),
        Field(name="property_preferences", type="details", help="property_preferences.<key>: any further column, kept as JSON"),
        Field(name="last_interaction_at", type="timestamp", synonyms="last_contact last_contacted last_activity"),
        CREATED,
    ),
    identity=("name", "email", "phone"),
    key=("market_id", "external_id"),
)  # fmt: skip

INTERACTIONS = Kind(
    name="interactions", table="lead_interactions", title="Interactions",
    fields=(
        _text("external_id", "id event_id interaction_id uuid", 200, help="the id in the other system"),
        _integer("lead_id", least=1, most=BIGINT_MOST, suggested=False, help="the lead's id in this database"),
        _text("lead_external_id", "lead_id lead lead_reference contact_id", 200, stored=False,
              help="the lead's id in the other system"),
        MARKET, STATE,
        Field(name="interaction_type", type="word", words=INTERACTION_TYPES, required=True,
              synonyms="type event event_type action"),
        Field(name="details", type="details", help="details.<key>: any further column, kept as JSON"),
        Field(name="created_at", type="timestamp", required=True,
              synonyms="created timestamp date time occurred_at happened_at"),
    ),
    identity=("lead_id", "lead_external_id", "interaction_type", "created_at"),
    key=("external_id",),
    one_of=(("lead_id", "lead_external_id"),),
)  # fmt: skip

MARKET_DATA = Kind(
    name="market-data", table="market_data", title="Market figures",
    fields=(
        MARKET, STATE,
        Field(name="date_recorded", type="month", synonyms="date month_start period", help="any day of the month"),
        _integer("year", "", least=1800, most=2200, stored=False), _integer("month", "", least=1, most=12, stored=False),
        Field(name="data_type", type="word", words=MARKET_DATA_TYPES, synonyms="type metric measure"),
        _number("value", "amount figure", least=0),
        *(_number(name, synonyms, least=0, stored=False, help="one figure per column: becomes a row of its own")
          for name, synonyms in zip(MARKET_DATA_TYPES, ("homes_sold", "dollar_volume", "median median_sale_price",
                                                        "active_listings", "inventory"), strict=True)),
        _text("source", "data_source", 500, default="import"),
    ),
    identity=(),
    key=("market_id", "data_type", "date_recorded"),
    one_of=(("date_recorded", "year"), ("value", *MARKET_DATA_TYPES)),
)  # fmt: skip

KINDS = {kind.name: kind for kind in (PROPERTIES, LEADS, INTERACTIONS, MARKET_DATA)}


def kind_of(name: str) -> Kind:
    """A kind by name; raises ImportFileError."""
    if name not in KINDS:
        raise ImportFileError(f"There is no kind {name!r} of import.", f"The kinds are: {', '.join(KINDS)}.")
    return KINDS[name]
