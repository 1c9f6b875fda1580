"""Models: the list and the description of each, from the dated table, in the vendor's shape."""

from __future__ import annotations

import anthropic
import pytest
from anthropic.types import ModelInfo

from core.claude.models import DEFAULT_MODEL, Models
from core.claude.rehearsal import Dials
from tests.claude.rehearsal.rehearsing import HEADERS, Rehearsing, unknown_fields


@pytest.fixture
def rehearsing() -> Rehearsing:
    """Without faults."""
    return Rehearsing(Dials())


async def test_every_model_has_the_vendors_shape(rehearsing: Rehearsing) -> None:
    """Over all pages, each once, newest first, without those that are retired."""
    listed = [model.id async for model in await rehearsing.client.models.list(limit=4)]
    table = Models()
    assert len(listed) == len(set(listed)) > 10
    assert listed[0] == DEFAULT_MODEL
    assert {model.id for model in table.offered()} >= set(listed)
    for name in listed:
        answer = await rehearsing.http.get(f"/v1/models/{name}", headers=HEADERS)
        model = ModelInfo.model_validate_json(answer.content, strict=True)
        assert unknown_fields(model) == []
        known = table.known(name)
        assert known is not None
        assert (model.display_name, model.max_tokens) == (known.title, known.max_output_tokens)
        if model.capabilities is not None:
            assert model.capabilities.thinking.types.disabled.supported == ("disabled" in (known.thinking or ()))
            assert model.capabilities.effort.supported == bool(known.efforts)


async def test_retired_models_are_listed_where_they_are_asked_for(rehearsing: Rehearsing) -> None:
    """With their state; alias and id name the same model, and an unknown one is 404."""
    retired = [model async for model in await rehearsing.client.models.list(lifecycle=["retired"])]
    assert {model.lifecycle for model in retired} == {"retired"}
    assert "claude-3-5-sonnet-20241022" in {model.id for model in retired}
    assert (await rehearsing.client.models.retrieve("claude-haiku-4-5")).id == "claude-haiku-4-5-20251001"
    with pytest.raises(anthropic.NotFoundError):
        await rehearsing.client.models.retrieve("claude-unheard-of-1")


async def test_page_before_a_model(rehearsing: Rehearsing) -> None:
    """The models right before it, and a limit that cannot be is refused."""
    ids = [model.id async for model in await rehearsing.client.models.list()]
    page = await rehearsing.client.models.list(before_id=ids[5], limit=2)
    assert [model.id for model in page.data] == ids[3:5]
    with pytest.raises(anthropic.BadRequestError):
        await rehearsing.client.models.list(limit=0)
