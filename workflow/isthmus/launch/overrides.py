"""Options from a command line, on their way through Snakemake's own.

Snakemake guesses the types of plain values after `--config` and turns nested ones to text, so ours travel as one
nested value under a key of its own, each leaf written as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from isthmus.config.load import merge, parse_override

_OURS = "isthmus"


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """Nested options of `KEY=VALUE` texts, later ones winning."""
    tree: dict[str, Any] = {}
    for text in texts:
        tree = merge(tree, parse_override(text))
    return tree


def to_snakemake(overrides: Mapping[str, Any]) -> list[str]:
    """Arguments after `--config` that `from_snakemake` reads back to equal values."""
    return [f"{_OURS}={json.dumps(_as_text(overrides))}"] if overrides else []


def from_snakemake(config: Mapping[str, Any]) -> dict[str, Any]:
    """What `--config` gave, each text read as YAML again; ours wins over what the user gave to Snakemake."""
    given = {key: _as_values(value) for key, value in config.items() if key != _OURS}
    return merge(given, _as_values(config.get(_OURS, {})))


def _as_text(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_text(item) for key, item in value.items()}
    return json.dumps(value)


def _as_values(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_values(item) for key, item in value.items()}
    if isinstance(value, str):
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError:
            return value
    return value
