"""What the head learns of a sample that has a table of counts and no image."""

from __future__ import annotations

from pathlib import Path

from isthmus.config.models import Settings
from isthmus.config.samples import Sample
from isthmus.config.use_cases import USE_CASES
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader
from isthmus.plan.identity import files_digest
from isthmus.plan.make import SampleInput

_NO_IMAGE = ImageHeader((1, 1, 1, 1), "uint8", ("none",), Affine.from_size(1.0))
"""Stands where plans have the header of an image."""
_BESIDE = ("matrix.mtx", "matrix.mtx.gz")
_CELLS_PER_MB = 450
"""Of an average file: only the prediction of time and memory goes by it."""


def describe_counts(settings: Settings, sample: Sample) -> SampleInput:
    """The sample's input; the table itself is read by its job."""
    given = {"image": sample.image, "transcripts": sample.transcripts, "counts": sample.counts}
    USE_CASES[settings.use_case].check_inputs([name for name, path in given.items() if path], sample.where)
    assert sample.counts is not None  # or check_inputs had raised
    if sample.image is not None:
        raise UserError(
            where=f"{sample.where}, column image",
            found=f"use case {settings.use_case} has no images",
            do="leave the column empty, or choose the use case of the image",
        )
    files = files_of(sample.counts)
    size_mb = sum(file.stat().st_size for file in files) / 1e6
    return SampleInput(
        sheet=sample.model_dump(mode="json"),
        where=sample.where,
        header=_NO_IMAGE,
        inputs={"counts": files_digest(files)},
        reader="counts",
        tested_on_real_files=not sample.counts.name.endswith(".loom"),
        n_vendor_cells=max(1, round(size_mb * _CELLS_PER_MB)),
    )


def files_of(counts: Path) -> list[Path]:
    """The file, or the files of a matrix folder."""
    if counts.name in _BESIDE:
        counts = counts.parent
    return sorted(path for path in counts.iterdir() if path.is_file()) if counts.is_dir() else [counts]
