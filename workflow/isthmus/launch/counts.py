"""What the head learns of a sample that has a table of counts, or the reads to make one, and no image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isthmus.config.models import Settings
from isthmus.config.samples import Sample
from isthmus.config.sheet_words import ORIGINS, SIZES
from isthmus.config.use_cases import USE_CASES
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.source import ImageHeader
from isthmus.launch.reads import Reference, reference_of
from isthmus.plan.identity import files_digest
from isthmus.plan.make import SampleInput
from isthmus.reads.fastq import check_heads, find_pairs

_NO_IMAGE = ImageHeader((1, 1, 1, 1), "uint8", ("none",), Affine.from_size(1.0))
"""Stands where plans have the header of an image."""
_BESIDE = ("matrix.mtx", "matrix.mtx.gz")
_OF_IMAGES = ("labels", "reader", "acquisition", "segmentation", *SIZES, *ORIGINS, "affine")
_CELLS_OF_READS = 10_000
_READS_PER_MB = 8_000
_VALUES_PER_READ = 0.25
"""Of reads nothing is known but their bytes: cells of a usual sample, and how many values above 0 reads become."""


def describe_counts(settings: Settings, sample: Sample) -> SampleInput:
    """The sample's input; the table itself is read by its job."""
    _check_no_image(settings, sample)
    given = {"counts": sample.counts, "reads": sample.reads}
    USE_CASES[settings.use_case].check_inputs([name for name, path in given.items() if path], sample.where)
    if sample.counts is not None and sample.reads is not None:
        raise UserError(
            where=sample.where,
            found="columns counts and reads are both filled",
            do="give the counts, or the reads to count",
        )
    if sample.structures is not None:
        raise UserError(
            where=f"{sample.where}, column structures",
            found="dissociated cells lie nowhere, so they have no distance to structures",
            do="leave the column empty",
        )
    if sample.reads is not None:
        return _describe_reads(settings, sample, sample.reads)
    assert sample.counts is not None  # or check_inputs had raised
    # Here, because samples of images have no counts, and every command would load pandas and h5py.
    from isthmus.counts.headers import read_header

    files = files_of(sample.counts)
    header = read_header(sample.counts, where=f"{sample.where}, counts '{sample.counts}'")
    return SampleInput(
        sheet=sample.model_dump(mode="json"),
        where=sample.where,
        header=_NO_IMAGE,
        inputs={"counts": files_digest(files)},
        reader="counts",
        tested_on_real_files=header.tested_on_real_files,
        # a raw export names every barcode there is; those without counts are left out
        n_vendor_cells=max(1, min(header.n_cells, header.n_values)),
        n_values=header.n_values,
    )


def _check_no_image(settings: Settings, sample: Sample) -> None:
    """What a row says of an image is a slip of the pen where there is none."""
    for name in _OF_IMAGES:
        if getattr(sample, name) is not None:
            raise UserError(
                where=f"{sample.where}, column {name}",
                found=f"it is about images, which use case {settings.use_case} does not have",
                do="leave the column empty, or choose the use case of the image",
            )


def _describe_reads(settings: Settings, sample: Sample, reads: Path) -> SampleInput:
    """The sample's FASTQ files, and what they are looked up in."""
    options = settings.quantification.reads
    reference: Reference = reference_of(options)
    pairs = find_pairs(reads, where=sample.where)
    check_heads(pairs, options.least_bases, where=sample.where)
    files = [file for pair in pairs for file in (pair.first, pair.second)]
    reads_mb = _megabytes(files)
    genome = {"genome": reference.genome} if reference.genome else {}
    return SampleInput(
        sheet=sample.model_dump(mode="json"),
        where=sample.where,
        header=_NO_IMAGE,
        inputs={"reads": files_digest(files), "index": reference.digest, **genome},
        reader="reads",
        tested_on_real_files=False,
        n_vendor_cells=_CELLS_OF_READS,
        n_values=round(reads_mb * _READS_PER_MB * _VALUES_PER_READ),
        reads_mb=reads_mb,
        reference_mb=reference.size_mb,
    )


def files_of(counts: Path) -> list[Path]:
    """The file, or the files of a matrix folder."""
    if counts.name in _BESIDE:
        counts = counts.parent
    return sorted(path for path in counts.iterdir() if path.is_file()) if counts.is_dir() else [counts]


def _megabytes(files: Sequence[Path]) -> float:
    return sum(file.stat().st_size for file in files) / 1e6
