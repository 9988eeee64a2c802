"""Options of profiles of wells."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from isthmus.config.options import FilePath, Section, option


class ProfilesOptions(Section):
    """Profiles of the wells of a plate (`wells.h5ad`)."""

    plate_map: FilePath | None = option(
        None,
        "What is in the wells (TSV or CSV): column `well`, any others, and `sample` where several plates are described;"
        " null for none.",
    )
    controls: str | None = option(
        None,
        "Control wells, as `column=value` of the plate map; null compares each well with all wells of its plate.",
    )
    plate_effects: Literal["median_polish", "none"] = option(
        "median_polish",
        "How effects of rows and columns are taken out: found from the control wells where these lie in enough rows and"
        " columns, else from all.",
    )

    @field_validator("controls")
    @classmethod
    def _has_both(cls, value: str | None) -> str | None:
        if value is not None:
            column, equals, wanted = (part.strip() for part in value.partition("="))
            if not (column and equals and wanted):
                raise ValueError(f"'{value}' is not of the form column=value")
        return value
