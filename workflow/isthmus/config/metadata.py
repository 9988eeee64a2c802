"""What the run is called, who made it and how its results may be used."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Strict, field_validator

from isthmus.config.options import Section, Texts, option


class Author(Section):
    """A person who made the run."""

    name: str = option(..., "Full name.", min_length=1)
    orcid: str | None = option(None, "ORCID, for example 0000-0002-1825-0097.")
    affiliation: str | None = option(None, "Institution.")

    @field_validator("orcid")
    @classmethod
    def _orcid(cls, value: str | None) -> str | None:
        return None if value is None else check_orcid(value)


class MetadataOptions(Section):
    """Description of the run for the report and for those who reuse the results."""

    title: str | None = option(None, "Title of the run.")
    description: str | None = option(None, "What was studied, in a few sentences.")
    authors: Annotated[tuple[Author, ...], Strict(False)] = option(
        (), "People who made the run: name, orcid, affiliation."
    )
    licence: str | None = option(None, "Licence of the results (SPDX identifier, for example CC-BY-4.0).")
    keywords: Texts = option((), "Words to find the run by.")


def check_orcid(value: str) -> str:
    """The sixteen-digit form of an ORCID, with or without its address in front; its checksum must hold.

    The last character is ISO 7064 MOD 11-2 of the fifteen digits before it.
    """
    short = re.sub(r"^https?://orcid\.org/", "", value)
    if not re.fullmatch(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", short):
        raise ValueError("an ORCID looks like 0000-0002-1825-0097")
    total = 0
    for digit in short.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    if short[-1] != ("X" if check == 10 else str(check)):
        raise ValueError("the last digit of this ORCID does not fit the others: look for a typing error")
    return short
