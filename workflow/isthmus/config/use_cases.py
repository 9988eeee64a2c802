"""The use cases: what a sample of each must bring, and what its table of cells holds.

This table is the one place that tells use cases apart. Steps ask it, or ask what a sample has (an image, points, a
stack of planes), never for the name of a use case.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

from isthmus.errors import UserError

UseCaseName = Literal[
    "imaging_transcriptomics", "spatial_proteomics", "spots", "screening", "volumes", "single_cell"
]
Input = Literal["image", "transcripts", "counts", "reads"]
Rows = Literal["cells", "spots", "barcodes"]
Values = Literal["counts", "intensities", "profiles"]

INPUTS: tuple[Input, ...] = get_args(Input)

_CURES: dict[Input, str] = {
    "image": "fill column image",
    "transcripts": "fill column transcripts, or choose a reader whose folder holds them",
    "counts": "fill column counts, or choose a reader whose folder holds them",
    "reads": "fill column reads",
}


@dataclass(frozen=True)
class UseCase:
    """What the rules and steps need to know of a use case.

    title
        For the report.
    needs
        What every sample must have, in its row or in the vendor's folder.
    may_have
        What a sample may have besides.
    rows
        What a row of `cells.h5ad` is: a cell of a label image, a spot or bin of an array, or a barcode.
    x
        What its `X` holds: counts of genes, intensities of markers, or profiles (features of each cell).
    modality
        What `X` is called in `cells.h5mu`, where the cells are what molecules were counted in.
    """

    name: UseCaseName
    title: str
    needs: tuple[Input, ...]
    may_have: tuple[Input, ...]
    rows: Rows
    x: Values
    modality: str

    @property
    def may_show_images(self) -> bool:
        """Whether a sample may have an image at all."""
        return "image" in (*self.needs, *self.may_have)

    def check_inputs(self, has: Collection[str], where: str) -> None:
        """Raise a UserError that names the first input that a sample lacks.

        Parameters
        ----------
        has
            Names from INPUTS of what the sample has.
        where
            The sample's row, for the error.
        """
        for name in self.needs:
            if name not in has and not (name == "counts" and "reads" in has and "reads" in self.may_have):
                raise UserError(
                    where=where,
                    found=f"use case {self.name} needs {_words(name)}, but there is none",
                    do=_CURES[name],
                )

    def check_columns(self, given: Collection[str], where: str) -> None:
        """Raise a UserError that names the first column that a row fills for nothing.

        Parameters
        ----------
        given
            Names from INPUTS of the columns that the row fills.
        where
            The row, for the error.
        """
        for name in INPUTS:
            if name in given and name not in (*self.needs, *self.may_have):
                users = [case.name for case in USE_CASES.values() if name in (*case.needs, *case.may_have)]
                raise UserError(
                    where=f"{where}, column {name}",
                    found=f"use case {self.name} reads no {name}",
                    do=f"leave the column empty, or choose a use case that does ({', '.join(users)})",
                )


def _words(name: Input) -> str:
    words: dict[Input, str] = {
        "image": "an image",
        "transcripts": "a table of transcripts",
        "counts": "a table of counts",
        "reads": "FASTQ files",
    }
    return words[name]


USE_CASES: dict[UseCaseName, UseCase] = {
    case.name: case
    for case in (
        UseCase(
            name="imaging_transcriptomics",
            title="Imaging transcriptomics",
            # an image alone is worth its cells and intensities: molecules may come later
            needs=("image",),
            may_have=("transcripts",),
            rows="cells",
            x="counts",
            modality="rna",
        ),
        UseCase(
            name="spatial_proteomics",
            title="Spatial proteomics",
            needs=("image",),
            may_have=("transcripts",),
            rows="cells",
            x="intensities",
            modality="proteins",
        ),
        UseCase(
            name="spots",
            title="Spots",
            needs=("counts",),
            may_have=("image",),
            rows="spots",
            x="counts",
            modality="rna",
        ),
        UseCase(
            name="screening",
            title="Screening",
            needs=("image",),
            may_have=(),
            rows="cells",
            x="profiles",
            modality="profiles",
        ),
        UseCase(
            name="volumes",
            title="Volumes",
            needs=("image",),
            may_have=("transcripts",),
            rows="cells",
            x="intensities",
            modality="channels",
        ),
        UseCase(
            name="single_cell",
            title="Single cells",
            needs=("counts",),
            may_have=("reads",),
            rows="barcodes",
            x="counts",
            modality="rna",
        ),
    )
}
"""By name, in the order of the documents."""
