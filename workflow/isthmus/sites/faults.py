"""What is wrong with a site's file: one plain line a fault, all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from isthmus.config.faults import show
from isthmus.errors import UserError, did_you_mean

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a text",
    "bool_type": "true or false",
    "model_type": "a section",
    "model_attributes_type": "a section",
}


def faults_of(error: ValidationError, model: type[BaseModel], where: str) -> list[UserError]:
    """One UserError for every value that is wrong, in the order of the file.

    Parameters
    ----------
    error
        What pydantic found.
    model
        What the file should have been.
    where
        Names the file.
    """
    faults: dict[str, UserError] = {}
    for detail in error.errors(include_url=False):
        key = ".".join(str(part) for part in detail["loc"])
        faults.setdefault(key, _fault(detail, model, f"{where}: {key}" if key else where))
    return list(faults.values())


def _fault(detail: Any, model: type[BaseModel], where: str) -> UserError:
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        known = fields_at(model, detail["loc"][:-1])
        return UserError(where=where, found="unknown key", do=did_you_mean(str(detail["loc"][-1]), known))
    if kind == "missing":
        description = _description(model, detail["loc"])
        return UserError(where=where, found="is missing", do=f"give it: {description}" if description else "")
    if kind == "value_error":
        return UserError(where=where, found=f"found {show(value)}", do=str(detail["ctx"]["error"]))
    if kind == "literal_error":
        words = _words(detail["ctx"]["expected"])
        return UserError(where=where, found=f"found {show(value)}", do=did_you_mean(str(value), words))
    expected = _EXPECTED.get(kind)
    do = f"expected {expected}" if expected else str(detail["msg"])
    return UserError(where=where, found=f"found {show(value)}", do=do)


def fields_at(model: type[BaseModel], key: Iterable[Any]) -> list[str]:
    """Names of the keys of a section."""
    section = _section(model, key)
    return list(section.model_fields) if section else []


def _section(model: type[BaseModel], key: Iterable[Any]) -> type[BaseModel] | None:
    section: Any = model
    for part in key:
        field = section.model_fields.get(part) if _is_model(section) else None
        section = field.annotation if field else None
    return section if _is_model(section) else None


def _description(model: type[BaseModel], key: tuple[Any, ...]) -> str:
    section = _section(model, key[:-1])
    field = section.model_fields.get(str(key[-1])) if section else None
    return (field.description or "") if field else ""


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _words(expected: str) -> list[str]:
    """The choices of pydantic's `'a', 'b' or 'c'`."""
    return expected.replace(" or ", ", ").replace("'", "").split(", ")
