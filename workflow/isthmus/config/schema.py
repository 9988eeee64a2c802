"""The configuration's JSON Schema, and what it says of one option in plain words."""

from __future__ import annotations

from functools import cache
from typing import Any

from isthmus.config.models import Settings

Schema = dict[str, Any]

_WORDS = {
    "integer": ("a whole number", "whole numbers"),
    "number": ("a number", "numbers"),
    "string": ("a text", "texts"),
    "boolean": ("true or false", "true or false"),
    "null": ("null", "null"),
}


@cache
def settings_schema() -> Schema:
    """JSON Schema of the whole configuration, as made by pydantic from the models."""
    return Settings.model_json_schema()


def resolve(schema: Schema) -> Schema:
    """The schema itself where it is only a reference to a named section."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    section: Schema = settings_schema()["$defs"][reference.rsplit("/", 1)[-1]]
    return {**section, **{key: value for key, value in schema.items() if key != "$ref"}}


def properties(schema: Schema) -> dict[str, Schema]:
    """Options of a section by name; empty for anything else."""
    found: dict[str, Schema] = resolve(schema).get("properties", {})
    return found


def locate(parts: tuple[int | str, ...]) -> tuple[tuple[int | str, ...], Schema]:
    """The longest part of a key path that the schema knows, and its schema.

    Lists of sections are entered; lists of plain values are one option as a whole.
    """
    schema, known = settings_schema(), 0
    for part in parts:
        below = properties(schema)
        items = resolve(schema).get("items")
        if isinstance(part, str) and part in below:
            schema = below[part]
        elif isinstance(part, int) and items is not None and properties(items):
            schema = items
        else:
            break
        known += 1
    return parts[:known], schema


def choices(schema: Schema) -> list[str]:
    """The words that an option may be; empty where it is not a choice."""
    if "const" in schema:
        return [schema["const"]]
    return list(schema.get("enum", []))


def expected(schema: Schema, *, many: bool = False) -> str:
    """What an option may be, in plain words: 'a number from 0 to 50 (um), or null'."""
    schema = resolve(schema)
    unit = f" ({schema['unit']})" if "unit" in schema else ""
    if "anyOf" in schema:
        words = [expected(part) for part in schema["anyOf"]]
        return ", or ".join(word if word == "null" else word + unit for word in words)
    if words := choices(schema):
        return " or ".join(f"'{word}'" for word in words)
    if names := properties(schema):
        return f"a section with the options {', '.join(names)}"
    if schema.get("type") == "array":
        return _expected_list(schema) + unit
    if schema.get("format") == "path":
        return "a path"
    word = _WORDS[schema["type"]][many]
    return f"{word}{bounds(schema)}{unit}"


def bounds(schema: Schema) -> str:
    """' from 0 to 50', ' of at least 1', ' above 0 and below 5'; empty where there are none."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low:g} to {high:,}".replace(",", "")
    said = [
        f"{word} {value}"
        for word, value in (
            ("of at least", low),
            ("above", above),
            ("at most" if above is not None else "of at most", high),
            ("below", below),
        )
        if value is not None
    ]
    return f" {' and '.join(said)}" if said else ""


def _expected_list(schema: Schema) -> str:
    if "prefixItems" in schema:
        each = schema["prefixItems"]
        return f"a list of {len(each)} {expected(each[0], many=True)}"
    if properties(schema["items"]):
        return f"a list of sections with {', '.join(properties(schema['items']))}"
    return f"a list of {expected(schema['items'], many=True)}"
