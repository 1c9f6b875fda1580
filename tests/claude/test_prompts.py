"""PromptVersion: what a template makes of values, and what no prompt may hold; shipped files; differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.claude.prompt_diff import diff
from core.claude.prompt_files import read_prompts
from core.claude.prompt_schema import check_schema, parse_schema
from core.claude.prompts import PromptVersion
from core.errors import SettingsError, UsageError

SCHEMA = {"type": "object", "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 100}}, "required": ["score"]}


def prompt(**changes: Any) -> PromptVersion:
    """A prompt with a variable and a dollar sign."""
    fields = {
        "name": "greeting",
        "title": "Greeting",
        "system": "Costs $5.",
        "template": "Hello ${name}, $$5!",
        "max_tokens": 50,
    }
    return PromptVersion(**{**fields, **changes})


def test_values_are_put_in_once() -> None:
    """A dollar sign is written twice in a template; a value that looks like a variable stays text; the system is as it is."""
    request = prompt(schema=SCHEMA, effort="low").render({"name": "$name ${x} $$ {y}"}, default_model="claude-a")

    assert request.turns[0].text == "Hello $name ${x} $$ {y}, $5!"
    assert (request.system, request.model, request.effort, request.schema) == ("Costs $5.", "claude-a", "low", SCHEMA)
    assert prompt(model="claude-b").render({"name": "x"}, default_model="claude-a").model == "claude-b"


@pytest.mark.parametrize("values", [{}, {"name": "x", "other": "y"}, {"name": 5}, {"name": "\x00"}, {"name": "x" * 100_001}])
def test_a_missing_unknown_or_impossible_value_is_refused(values: dict[str, Any]) -> None:
    """Nothing is rendered with a hole in it, and nothing is given that the prompt does not use."""
    with pytest.raises(UsageError):
        prompt().render(values)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Not a name"}, {"title": " "}, {"template": ""}, {"template": "costs $5"}, {"template": "x" * 100_001},
        {"max_tokens": 0}, {"effort": "great"}, {"thinking": "on"}, {"model": "a b"}, {"system": "\ud800"}, {"schema": []},
    ],
)  # fmt: skip
def test_a_field_that_cannot_work_is_named(changes: dict[str, Any]) -> None:
    """The error begins with the field."""
    with pytest.raises(UsageError, match=rf"{next(iter(changes))} "):
        prompt(**changes).checked()


@pytest.mark.parametrize(
    ("schema", "where"),
    [
        ({"type": "array"}, "object"),
        ({"type": "object", "properties": {"a": {"type": ["string", "null"]}}}, "/properties/a/type"),
        ({"type": "object", "properties": {"a": {}}}, "/properties/a"),
        ({"type": "object", "properties": {"a": {"type": "string", "if": {}}}}, "/properties/a/if"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "/additionalProperties"),
        ({"type": "object", "properties": {}, "required": ["a"]}, "/required"),
        ({"type": "object", "properties": {"a": {"enum": []}}}, "/properties/a/enum"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}, "/properties/a/\\$ref"),
        (
            {
                "type": "object",
                "properties": {"a": {"$ref": "#/$defs/b"}},
                "$defs": {"b": {"type": "array", "items": {"$ref": "#/$defs/b"}}},
            },
            "itself",
        ),
    ],
)
def test_a_schema_that_the_api_refuses_is_refused_here(schema: dict[str, Any], where: str) -> None:
    """The message says where the fault is."""
    with pytest.raises(UsageError, match=where):
        check_schema(schema)


def test_a_schema_with_bounds_definitions_and_choices_passes() -> None:
    """What the SDK can turn into a grammar is kept as it was written."""
    part = {"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "null"}, {"$ref": "#/$defs/x"}]}
    check_schema(SCHEMA | {"$defs": {"x": {"type": "array", "items": part | {"anyOf": part["anyOf"][:2]}}}, "title": "T"})
    assert parse_schema(" ") is None
    with pytest.raises(UsageError, match="no JSON"):
        parse_schema("{")


def test_a_folder_of_files_becomes_prompts(tmp_path: Path) -> None:
    """The file's name is the prompt's; a file that cannot work is named."""
    (tmp_path / "hello.toml").write_text(
        "title = 'Hello'\nnote = 'n'\nsystem = 's'\nmax_tokens = 20\neffort = ''\nthinking = 'off'\n"
        "template = '''Dear $name\n'''\n"
        'schema = \'{"type": "object", "properties": {}}\'\n'
    )
    (read,) = read_prompts(tmp_path)
    assert (read.name, read.author, read.version, read.variables, read.effort) == ("hello", "shipped", 0, ("name",), None)
    assert read.schema == {"type": "object", "properties": {}}
    assert read.label.startswith("shipped-")

    (tmp_path / "bad.toml").write_text("title = 'Bad'\ntemplate = 'x'\n")
    with pytest.raises(SettingsError, match=r"bad\.toml .*lacks max_tokens"):
        read_prompts(tmp_path)


def test_a_difference_is_told_by_field() -> None:
    """Only what differs; a schema line by line; who wrote it and when is no difference."""
    before, after = prompt(schema=SCHEMA), prompt(template="Hi ${name}!", schema=SCHEMA | {"required": []}, author="anna")
    assert diff(before, prompt(schema=SCHEMA, author="anna", note="again")) == ()

    changed = {item.field: item for item in diff(before, after)}
    assert list(changed) == ["template", "schema"]
    assert changed["template"].lines[-2:] == ("-Hello ${name}, $$5!", "+Hi ${name}!")
    assert '+  "required": []' in changed["schema"].lines
