"""Turn what pydantic says of a wrong configuration into one plain line a fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from isthmus.config.schema import Schema, choices, expected, locate, properties, resolve
from isthmus.errors import UserError, did_you_mean

Key = tuple[int | str, ...]
LONGEST = 60


def faults_of(error: ValidationError, tree: dict[str, Any], where: Callable[[Key], str]) -> list[UserError]:
    """One UserError for every option that is wrong, in the order of the options.

    Parameters
    ----------
    error
        What pydantic found.
    tree
        The options that it looked at.
    where
        Names the source and the option of a key path.
    """
    faults: dict[Key, UserError] = {}
    for detail in error.errors(include_url=False):
        known, schema = locate(detail["loc"])
        key = detail["loc"] if detail["type"] == "extra_forbidden" else known
        # alternatives of one option (a number or three) fail one by one; the reader wants one line
        if key not in faults:
            faults[key] = _fault(detail, key, schema, _value(tree, key), where(key))
    return list(faults.values())


def show(value: object) -> str:
    """A value as it would be written, cut to a readable length."""
    text = f"'{value}'" if isinstance(value, str | Path) else json.dumps(value, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _fault(detail: Any, key: Key, schema: Schema, value: Any, where: str) -> UserError:
    if detail["type"] == "extra_forbidden":
        do = did_you_mean(str(key[-1]), properties(schema))
        return UserError(where=where, found=f"unknown option (got {show(value)})", do=do)
    if detail["type"] == "missing" and value is None:
        description = resolve(schema).get("description", "")
        return UserError(where=where, found="is missing", do=f"give {expected(schema)}: {description}")
    if detail["type"] == "value_error":
        return UserError(where=where, found=_found(value), do=str(detail["ctx"]["error"]))
    words = choices(schema)
    if words and isinstance(value, str):
        return UserError(where=where, found=_found(value), do=did_you_mean(value, words))
    return UserError(where=where, found=_found(value), do=f"expected {expected(schema)}")


def _found(value: object) -> str:
    note = ""
    if isinstance(value, str) and _looks_like_number(value):
        note = " (a text, because of its quotes)"
    return f"found {show(value)}{note}"


def _looks_like_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _value(tree: Any, key: Key) -> Any:
    for part in key:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return None
    return tree
