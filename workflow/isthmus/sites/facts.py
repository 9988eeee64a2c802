"""What is known of a site: every value with its source, its date and how sure it is."""

from __future__ import annotations

import re
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

T = TypeVar("T")
Status = Literal["verified", "documented", "third-party", "unknown"]

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
UNKNOWN_DATE = "unknown"


class Part(BaseModel):
    """A part of a site's file: unknown keys and wrong types are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Fact(Part, Generic[T]):
    """One value. Null means "none" or "no limit", and with the status `unknown` that nobody has said.

    verified: measured on the machine by us. documented: read in the site's own pages, or in a configuration that its
    users keep and test. third-party: notes and copies of others.
    """

    value: T | None = Field(description="The value; null for none, no limit, or unknown.")
    status: Status = Field(description="How sure it is.")
    source: str = Field("", description="Where it was read or measured.")
    date: str = Field(
        "", description="When: YYYY, YYYY-MM or YYYY-MM-DD; `unknown` where the source has none."
    )

    @model_validator(mode="after")
    def _has_a_source(self) -> Fact[T]:
        if self.status == "unknown":
            if self.value is not None:
                raise ValueError("what is unknown has no value: write null, or say where the value is from")
        elif not self.source:
            raise ValueError("say where the value is from: give source")
        elif self.date != UNKNOWN_DATE and not _DATE.fullmatch(self.date):
            raise ValueError("say when: give date as YYYY, YYYY-MM or YYYY-MM-DD, or `unknown`")
        return self

    @property
    def is_unknown(self) -> bool:
        """Whether nobody has said what it is."""
        return self.status == "unknown"
