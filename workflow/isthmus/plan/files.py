"""How many files and folders each rule leaves: counted, not estimated, but for runs of transcripts."""

from __future__ import annotations

from math import ceil
from pathlib import PurePosixPath

from isthmus.blocks.grid import Grid, Triple
from isthmus.image.pyramid import level_factors, level_shape
from isthmus.plan.layout import channels_of_shard
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
    "build_index": 3,
    "count_reads": 5,
    "import_counts": 2,
    "assess_quality": 2,
    "join_modalities": 1,
    "profile_wells": 1,
    "integrate_cohort": 2,
    "analyse": 2,
    "annotate": 5,
    "join_omics": 4,
    "analyse_omics": 4,
    "report": 4,
}
"""Single files and folders of a job, apart from arrays and journals."""
_JOURNAL = 3
"""A pack's record and the two files of its journal."""
_LABEL_FOLDERS, _LABEL_GROUPS = 3, 4
"""Of one image: folders for labels, nuclei and cells; and the metadata of these and of itself."""
_SERIES = 2
"""The list of images where they lie one beside the other, and its folder."""
_FOLDERS = 6
"""Folders of a sample: results, intermediates, logs."""
_OF_SPOTS = {"build_table": 1, "assess_quality": 2}
"""Further files where there are spots: their table; and their marked table, with what was marked."""
_RUN_ROWS = 1 << 22


def files_of(rule: str, sample: SamplePlan) -> int:
    """Files and folders that the jobs of a rule leave for a sample."""
    jobs = sample.packs if rule.endswith("_pack") else 1
    count = jobs * _PER_JOB + _LEFT[rule] + (_OF_SPOTS.get(rule, 0) if sample.has_spots else 0)
    if rule == "import_image":
        return (
            count
            + _FOLDERS
            + sum(n * _image(sample, shape) for n, shape in sample.stack.runs)
            + _folders(sample)
        )
    if rule == "import_transcripts":
        return count + ceil((sample.n_transcripts or 0) / _RUN_ROWS)
    if rule in ("segment_pack", "quantify_pack"):
        arrays = 2 if rule == "quantify_pack" else 1
        of_labels = [n * arrays * _array(shape, sample.block_px, None) for n, shape in sample.stack.runs]
        beside = _LABEL_FOLDERS * (len(sample.images) - 1) if sample.images and arrays == 2 else 0
        return count + jobs * _JOURNAL + sum(of_labels) + beside
    if rule == "build_pyramid":
        levels = sum(n * _coarser_levels(sample, shape) for n, shape in sample.stack.runs)
        return count + levels + _groups(sample)
    return count


def files_of_run(rule: str) -> int:
    """Files that a rule leaves which works on all samples together."""
    return _PER_JOB + _LEFT[rule]


def _image(sample: SamplePlan, shape: Triple) -> int:
    """Level 0 of one image."""
    channels = sample.shape[0]
    if sample.images:
        channels //= channels_of_shard(shape, sample.shard_px, channels)
    return _array(shape, sample.shard_px, channels)


def _coarser_levels(sample: SamplePlan, shape: Triple) -> int:
    return sum(
        _array(level_shape(shape, factor), sample.shard_px, sample.shape[0])
        + 2 * _array(level_shape(shape, factor), sample.block_px, None)
        for factor in level_factors(shape, sample.coarsest_px)[1:]
    )


def _folders(sample: SamplePlan) -> int:
    """Folders on the way to the images of a sample that has many: rows, wells, fields."""
    folders = {parent for path in sample.image_paths for parent in PurePosixPath(path).parents} - {
        PurePosixPath()
    }
    return len(folders) + len(sample.images)


def _groups(sample: SamplePlan) -> int:
    """Metadata of the groups of a sample that has many images: of each but the first image, and of what is above."""
    if not sample.images:
        return 0
    above = {parent for path in sample.image_paths for parent in PurePosixPath(path).parents}
    series = 0 if sample.layout == "plate" else _SERIES
    return _LABEL_GROUPS * (len(sample.images) - 1) + len(above) + series


def _array(shape: Triple, piece: Triple, channels: int | None) -> int:
    """Files and folders of an array: a file a piece, folders along all axes but the last, metadata."""
    nz, ny, nx = Grid(shape, piece).counts
    folders, n = 2, channels or 1
    if channels is not None:
        folders += n
    if shape[0] > 1:
        folders += n * nz
    return 1 + folders + n * nz * ny + n * nz * ny * nx
