"""What a section of the configuration is made of: a strict frozen model and its fields."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict
from pydantic.config import JsonDict

# Strict models take neither a text for a path nor a list for a tuple, but YAML and JSON have nothing else.
FilePath = Annotated[Path, Strict(False)]
Texts = Annotated[tuple[str, ...], Strict(False)]


class Section(BaseModel):
    """A part of the configuration: unknown keys and wrong types are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def option(default: Any, description: str, *, unit: str = "", **bounds: Any) -> Any:
    """A field of a section.

    Parameters
    ----------
    default
        Value when the user says nothing; `...` when the user must say.
    description
        One sentence, shown in the generated configuration and tables.
    unit
        Unit of the value as the reader sees it (um, um2, px); empty for a pure number or a name.
    bounds
        `ge`, `gt`, `le`, `lt`, `min_length`: as in pydantic.
    """
    extra: JsonDict | None = {"unit": unit} if unit else None
    return Field(default, description=description, json_schema_extra=extra, **bounds)
