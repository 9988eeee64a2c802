"""The parameters as YAML lines, those that differ from the defaults marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import yaml

from isthmus.config.models import Settings


@dataclass(frozen=True)
class Line:
    """One line of YAML; `default` is what the option would have been, where it differs."""

    text: str
    differs: bool = False
    default: str = ""


def settings_lines(settings: Mapping[str, Any]) -> list[Line]:
    """All options in their order; files by their names only, for where they lie is nobody else's concern."""
    settings = _named(settings)
    defaults = Settings.model_validate({"samples": settings["samples"]}).model_dump(mode="json")
    defaults |= {name: settings[name] for name in ("samples", "results")}
    return list(_lines(settings, defaults, 0))


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options with absolute paths cut down to names."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            made[name] = _named(value)
        else:
            is_path = isinstance(value, str) and PurePath(value).is_absolute()
            made[name] = PurePath(value).name if is_path else value
    return made


def _lines(values: Mapping[str, Any], defaults: Mapping[str, Any], depth: int) -> Iterator[Line]:
    indent = "  " * depth
    for name, value in values.items():
        default = defaults.get(name)
        if isinstance(value, Mapping):
            yield Line(f"{indent}{name}:")
            yield from _lines(value, default if isinstance(default, Mapping) else {}, depth + 1)
        elif value == default:
            yield Line(f"{indent}{name}: {_yaml(value)}")
        else:
            yield Line(f"{indent}{name}: {_yaml(value)}", differs=True, default=_yaml(default))


def _yaml(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
