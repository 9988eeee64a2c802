"""Options from a command line, on their way through Snakemake's own.

Snakemake guesses the types of plain values after `--config`, turns nested ones to text, and doubles backslashes on the
way to a job. Ours travel as one word of letters and digits under a key of its own: JSON in base 64.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from isthmus.config.load import merge, parse_override

_OURS = "isthmus"
_MARK = "json-"
"""So that no word is taken for a number."""


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """Nested options of `KEY=VALUE` texts, later ones winning."""
    tree: dict[str, Any] = {}
    for text in texts:
        tree = merge(tree, parse_override(text))
    return tree


def to_snakemake(overrides: Mapping[str, Any]) -> list[str]:
    """Arguments after `--config` that `from_snakemake` reads back to equal values."""
    if not overrides:
        return []
    word = urlsafe_b64encode(json.dumps(overrides).encode()).decode().rstrip("=")
    return [f"{_OURS}={_MARK}{word}"]


def from_snakemake(config: Mapping[str, Any]) -> dict[str, Any]:
    """What `--config` gave, each text read as YAML again; ours wins over what the user gave to Snakemake."""
    given = {key: _as_values(value) for key, value in config.items() if key != _OURS}
    return merge(given, _from_word(str(config.get(_OURS, ""))))


def _from_word(word: str) -> dict[str, Any]:
    coded = word.removeprefix(_MARK)
    return dict(json.loads(urlsafe_b64decode(coded + "=" * (-len(coded) % 4)))) if word else {}


def _as_values(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_values(item) for key, item in value.items()}
    if isinstance(value, str):
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError:
            return value
    return value
