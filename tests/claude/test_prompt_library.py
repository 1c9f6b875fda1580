"""PromptLibrary: versions that never change, edits that are never lost, and one that answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.claude.prompt_library import PromptLibrary
from core.claude.prompts import PromptVersion
from core.database.pool import Database
from core.errors import QueryError, UsageError
from tests.claude.stores import open_store

SCHEMA = {"type": "object", "properties": {"reasons": {"type": "string"}, "a": {"type": "integer"}}, "required": ["reasons"]}
SHIPPED = PromptVersion(
    name="greeting", title="Greeting", template="Hello $name", max_tokens=50, author="shipped", schema=SCHEMA
)


@pytest.fixture
async def library(store: Database) -> PromptLibrary:
    """A library with its shipped prompt."""
    made = PromptLibrary(store, [SHIPPED])
    await made.seed()
    return made


async def test_a_shipped_text_is_stored_once_and_again_when_it_changes(store: Database) -> None:
    """Processes that start at once store one version; a changed text is the next one, in use unless somebody chose another."""
    first = await asyncio.gather(*(PromptLibrary(store, [SHIPPED]).seed() for _ in range(4)))
    assert [version.version for stored in first for version in stored] == [1]

    library = PromptLibrary(store, [replace(SHIPPED, template="Dear $name")])
    assert [version.version for version in await library.seed()] == [2]
    assert (await library.in_use("greeting")).label == "2"

    edit = await library.save((await library.get("greeting", 2)).edited(max_tokens=60), based_on=2, author="anna")
    await library.use("greeting", edit.version.version, "anna")
    newer = PromptLibrary(store, [SHIPPED])
    assert [(version.version, version.template) for version in await newer.seed()] == [(4, "Hello $name")]
    assert (await newer.in_use("greeting")).version == 3
    assert [(item.latest, item.in_use, item.author) for item in await newer.list()] == [(4, 3, "shipped")]


async def test_two_who_edit_at_once_lose_nothing(library: PromptLibrary) -> None:
    """Each edit gets a number; whoever comes second is told of the first; none of them answers before it is chosen."""
    base = await library.get("greeting", 1)
    drafts = [base.edited(template=f"Hello $name, says {number}") for number in range(8)]
    saved = await asyncio.gather(*(library.save(draft, based_on=1, author=f"op{n}") for n, draft in enumerate(drafts)))

    assert sorted(item.version.version for item in saved) == list(range(2, 10))
    assert {item.version.template for item in saved} == {draft.template for draft in drafts}
    assert all(item.others == tuple(range(2, item.version.version)) for item in saved)
    assert (await library.in_use("greeting")).version == 1
    versions = await library.versions("greeting")
    assert [version.version for version in versions] == list(range(9, 0, -1))
    assert (await library.get("greeting", 9)) == versions[0]
    assert list((versions[0].schema or {})["properties"]) == ["reasons", "a"]  # The answer is written in this order.


async def test_an_edit_without_a_change_is_no_version(library: PromptLibrary) -> None:
    """The version that was edited comes back; a name that is taken is refused; so is the author of the shipped texts."""
    base = await library.get("greeting", 1)
    saved = await library.save(base.edited(note="looked at it"), based_on=1, author="anna")
    assert (saved.created, saved.version) == (False, base)
    assert (await library.save(replace(base, name="mine"), based_on=0, author="anna")).version.version == 1
    for based_on, author in ((0, "anna"), (7, "anna"), (1, "shipped"), (1, " ")):
        with pytest.raises(UsageError):
            await library.save(base.edited(max_tokens=9), based_on=based_on, author=author)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE console.prompt_versions SET note = 'x' WHERE version = 1",
        "DELETE FROM console.prompt_versions",
        "TRUNCATE console.prompt_versions CASCADE",
        "DELETE FROM console.prompts",
    ],
)
async def test_the_database_itself_refuses_to_change_a_version(library: PromptLibrary, store: Database, statement: str) -> None:
    """Whoever holds a connection, even the tables' owner, cannot change what was said."""
    with pytest.raises(QueryError):
        await store.execute(statement)
    assert (await library.get("greeting", 1)).template == "Hello $name"


async def test_an_archived_prompt_is_away_and_not_gone(library: PromptLibrary) -> None:
    """It leaves the list, keeps its versions, and comes back."""
    await library.archive("greeting", "anna")
    assert await library.list() == ()
    (away,) = await library.list(archived=True)
    assert (away.archived_by, (await library.in_use("greeting")).version) == ("anna", 1)
    await library.restore("greeting")
    assert [item.archived_by for item in await library.list()] == [None]
    with pytest.raises(UsageError):
        await library.archive("no_such", "anna")


async def test_without_the_store_the_last_known_or_the_shipped_version_answers(empty_database_url: str) -> None:
    """A store without tables is one that cannot say; seeding waits for it in the background."""
    async with open_store(empty_database_url) as store:
        library = PromptLibrary(store, [SHIPPED])
        await library.open()
        assert (await library.in_use("greeting")).label.startswith("shipped-")
        assert not library.seeded.is_set()
        await library.close()
