"""How many files and folders each rule leaves: counted, not estimated, but for runs of transcripts."""

from __future__ import annotations

from math import ceil

from isthmus.blocks.grid import Grid, Triple
from isthmus.image.pyramid import level_factors, level_shape
from isthmus.plan.model import SamplePlan

_PER_JOB = 4
"""Log, history, and what Snakemake notes of a job and its outputs in the working directory."""
_LEFT = {
    "import_image": 3,
    "import_transcripts": 2,
    "survey_image": 1,
    "segment_pack": 3,
    "stitch_labels": 6,
    "quantify_pack": 4,
    "build_pyramid": 5,
    "build_table": 3,
    "build_outlines": 2,
    "certify_seams": 1,
    "assess_quality": 2,
    "join_modalities": 1,
    "integrate_cohort": 2,
    "analyse": 2,
    "annotate": 5,
    "report": 4,
}
"""Single files and folders of a job, apart from arrays and journals."""
_JOURNAL = 3
"""A pack's record and the two files of its journal."""
_FOLDERS = 6
"""Folders of a sample: results, intermediates, logs."""
_RUN_ROWS = 1 << 22


def files_of(rule: str, sample: SamplePlan) -> int:
    """Files and folders that the jobs of a rule leave for a sample."""
    jobs = sample.packs if rule.endswith("_pack") else 1
    count = jobs * _PER_JOB + _LEFT[rule]
    n, shape, channels = sample.n_images, sample.grid.shape, sample.shape[0]
    if rule == "import_image":
        return count + _FOLDERS + n * _array(shape, sample.shard_px, channels)
    if rule == "import_transcripts":
        return count + ceil((sample.n_transcripts or 0) / _RUN_ROWS)
    if rule == "segment_pack":
        return count + jobs * _JOURNAL + n * _array(shape, sample.block_px, None)
    if rule == "quantify_pack":
        return count + jobs * _JOURNAL + n * 2 * _array(shape, sample.block_px, None)
    if rule == "build_pyramid":
        return count + n * _coarser_levels(sample)
    return count


def files_of_run(rule: str) -> int:
    """Files that a rule leaves which works on all samples together."""
    return _PER_JOB + _LEFT[rule]


def _coarser_levels(sample: SamplePlan) -> int:
    shape, channels = sample.grid.shape, sample.shape[0]
    return sum(
        _array(level_shape(shape, factor), sample.shard_px, channels)
        + 2 * _array(level_shape(shape, factor), sample.block_px, None)
        for factor in level_factors(shape)[1:]
    )


def _array(shape: Triple, piece: Triple, channels: int | None) -> int:
    """Files and folders of an array: a file a piece, folders along all axes but the last, metadata."""
    nz, ny, nx = Grid(shape, piece).counts
    folders, n = 2, channels or 1
    if channels is not None:
        folders += n
    if shape[0] > 1:
        folders += n * nz
    return 1 + folders + n * nz * ny + n * nz * ny * nx
