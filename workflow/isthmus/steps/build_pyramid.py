"""build_pyramid: the coarser levels, then the OME metadata that makes image and labels complete."""

from __future__ import annotations

import logging
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import zarr

from isthmus.blocks.grid import Grid, Triple
from isthmus.image.ome_zarr import create_level, write_image_metadata, write_labels_group
from isthmus.image.pyramid import HalvingJob, How, halve_shard, level_factors, level_shape
from isthmus.packs.pool import run_tasks
from isthmus.steps.job import Job, read_json
from isthmus.steps.quantify_pack import LABELS
from isthmus.steps.stored import describe_shards

log = logging.getLogger(__name__)


def build_pyramid(job: Job, *, workers: int) -> None:
    """Write all levels but 0 of the image and of both label images; metadata last."""
    plan, paths = job.sample, job.sample_paths
    shape, is_volume = plan.grid.shape, plan.grid.shape[0] > 1
    factors = level_factors(shape)
    survey = read_json(paths.survey)["channels"]
    windows = [(c["percentiles"]["1"], c["percentiles"]["99.9"]) for c in survey.values()]
    levels: list[Path] = []
    for name in LABELS:
        folder = paths.labels / name
        levels += _coarsen(folder, shape, factors, None, "nearest", workers)
        write_image_metadata(
            folder,
            name=name,
            is_volume=is_volume,
            factors=factors,
            affine=plan.window_affine,
            z_step_um=plan.z_step_um,
        )
    write_labels_group(paths.labels, LABELS)
    levels += _coarsen(paths.image, shape, factors, plan.shape[0], "mean", workers)
    write_image_metadata(
        paths.image,
        name=job.sample_name,
        is_volume=is_volume,
        factors=factors,
        affine=plan.window_affine,
        z_step_um=plan.z_step_um,
        channels=plan.channels,
        windows=windows,
    )
    groups = [paths.image, paths.labels, *(paths.labels / name for name in LABELS)]
    shards = describe_shards(job.paths.root, *levels, *(group / "zarr.json" for group in groups))
    job.n_files += len(shards)
    job.write_record(paths.record("build_pyramid"), {"levels": len(factors), "shards": shards})


def _coarsen(
    folder: Path, shape: Triple, factors: list[Triple], n_channels: int | None, how: How, workers: int
) -> list[Path]:
    """Write levels 1 and up below a folder that holds level 0; returns their paths."""
    for old in folder.glob("[0-9]*"):
        if old.name != "0":
            shutil.rmtree(old)
    finest = zarr.open_array(folder / "0", mode="r")
    cut = finest.shards or finest.chunks
    shard = _spatial(cut, shape)
    chunk = _spatial(finest.chunks, shape)
    made = []
    for level, factor in enumerate(factors[1:], start=1):
        target, grid = folder / str(level), Grid(level_shape(shape, factor), shard)
        create_level(
            target,
            shape=grid.shape,
            dtype=np.dtype(finest.dtype),
            chunk=chunk,
            shard=shard,
            n_channels=n_channels,
        )
        finer = folder / str(level - 1)
        work = HalvingJob(finer, target, level_shape(shape, factors[level - 1]), grid, n_channels, how)
        tasks = [(channel, index) for channel in range(n_channels or 1) for index in range(grid.n_blocks)]
        for outcome in run_tasks(
            partial(halve_shard, work), tasks, workers=workers, preload=("isthmus.image.pyramid",)
        ):
            if outcome.error is not None:
                raise outcome.error
        log.info("%s: level %d of %d", folder.name, level, len(factors) - 1)
        made.append(target)
    return made


def _spatial(sizes: tuple[int, ...], shape: Triple) -> Triple:
    """Sizes along z, y, x of an array that may lack z and have channels."""
    if shape[0] > 1:
        return (sizes[-3], sizes[-2], sizes[-1])
    return (1, sizes[-2], sizes[-1])
