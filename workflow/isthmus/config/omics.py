"""Options of tables of other omics, and of the analysis that joins them with what images tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from isthmus.config.options import FilePath, Section, option

RESERVED = (
    *("cells", "samples", "wells", "image", "composition", "pseudobulk", "rna", "intensity", "shape"),
    *("texture", "profiles", "channels", "correlations", "markers", "neighbourhood"),
)
"""Names that results have already."""


Unit = Literal["sample", "well"]
JOINT_UNITS: tuple[Unit, ...] = ("sample", "well")
"""What tables may be keyed by to be analysed together with images and counts."""


class OmicsTable(Section):
    """One table of molecules, keyed by sample, well, spot or cell."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = option(
        ..., "Name of the modality and of its file, cohort/<name>.h5ad."
    )
    path: FilePath = option(..., "The table: CSV, TSV (plain or gzip), Parquet or h5ad.")
    key: Literal["sample", "well", "spot", "cell"] = option("sample", "What a key of the table names.")
    by: str | None = option(
        None,
        "Column of the plate map (key `well`) or of the sample sheet (key `sample`) whose values the table names,"
        " such as a compound or a condition: all wells or samples of one value get its row. Null for their own names.",
        min_length=1,
    )
    keys_in: Literal["rows", "columns"] = option(
        "rows", "Whether keys are the rows and molecules the columns, or the other way."
    )
    key_column: str | None = option(
        None, "Column of the keys (of the molecules where keys are columns); null for the first."
    )
    normalisation: Literal["none", "log1p", "median", "clr", "z"] = option(
        "none", "How values are made comparable between keys."
    )
    max_missing: float = option(
        0.5, "Molecules that lack more than this share of values stay out of joint analysis.", ge=0, le=1
    )

    @field_validator("name")
    @classmethod
    def _is_free(cls, value: str) -> str:
        if value in RESERVED:
            raise ValueError(f"'{value}' is what Isthmus calls a result of its own: choose another name")
        return value

    @model_validator(mode="after")
    def _has_columns(self) -> OmicsTable:
        if self.by is not None and self.key not in ("sample", "well"):
            raise ValueError(f"by goes with key sample or well, not with {self.key}")
        return self

    @property
    def is_joint(self) -> bool:
        """Whether it is analysed together with images: rows that several wells share say less than they seem to."""
        return self.by is None and self.key in JOINT_UNITS


class JointOptions(Section):
    """How image features and molecules are analysed together, a row a sample or a well."""

    min_correlated: int = option(
        6, "Fewest samples that a correlation needs; with fewer none can be told from chance.", ge=5, le=1000
    )
    alpha: float = option(
        0.05, "False discovery rate below which correlations are shown as found.", gt=0, lt=1
    )
    min_factored: int = option(15, "Fewest samples that the factor model needs.", ge=8, le=1000)
    n_factors: int = option(8, "Factors that the model begins with.", ge=1, le=50)
    n_permutations: int = option(
        19,
        "Models of permuted data that tell which factors are shared by modalities beyond chance; 0 for none.",
        ge=0,
        le=999,
    )


def check_names(tables: tuple[OmicsTable, ...]) -> tuple[OmicsTable, ...]:
    """The tables, if no two have one name."""
    names = [table.name for table in tables]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two tables are called '{twice}': give each a name of its own")
    return tables


def joint_units(tables: Sequence[OmicsTable]) -> list[Unit]:
    """Units that have a table, of those that are analysed together with images and counts."""
    return [unit for unit in JOINT_UNITS if any(table.is_joint and table.key == unit for table in tables)]
