"""The parameters as YAML lines, those that differ from the defaults marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
    """All options in their order. Where the samples and the results are is no parameter and never marked."""
    defaults = Settings.model_validate({"samples": settings["samples"]}).model_dump(mode="json")
    defaults |= {name: settings[name] for name in ("samples", "results")}
    return list(_lines(settings, defaults, 0))


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
