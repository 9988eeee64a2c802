"""build_pyramid: the coarser levels, then the OME metadata that makes image and labels complete."""

from __future__ import annotations

import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from isthmus.blocks.grid import Grid, Triple
from isthmus.image.collection import write_collection
from isthmus.image.ome_zarr import create_level, write_image_metadata, write_labels_group
from isthmus.image.pyramid import HalvingJob, How, halve_shard, level_factors, level_shape
from isthmus.packs.pool import run_tasks
from isthmus.steps.job import Job, read_json
from isthmus.steps.quantify_pack import LABELS
from isthmus.steps.stored import describe_shards

log = logging.getLogger(__name__)


def build_pyramid(job: Job, *, workers: int) -> None:
    """Write all levels but 0 of the images and of both their label images; metadata last."""
    sample, paths = job.sample, job.sample_paths
    survey = read_json(paths.survey)["channels"]
    windows = [(c["percentiles"]["1"], c["percentiles"]["99.9"]) for c in survey.values()]
    written: list[Path] = []
    n_levels = 1
    for image, path in enumerate(sample.image_paths):
        factors = level_factors(sample.stack.grid(image).shape, sample.coarsest_px)
        n_levels = max(n_levels, len(factors))
        written += _build_image(job, image, path, factors, windows, workers)
    if sample.images:
        written += write_collection(paths.image, sample.image_paths, sample.layout, name=job.sample_name)
    shards = describe_shards(job.paths.root, *written)
    job.n_files += len(shards)
    job.write_record(paths.record("build_pyramid"), {"levels": n_levels, "shards": shards})


def _build_image(
    job: Job,
    image: int,
    path: str,
    factors: list[Triple],
    windows: list[tuple[int, int]],
    workers: int,
) -> list[Path]:
    """The levels and the metadata of one image; returns what was written."""
    sample, paths = job.sample, job.sample_paths
    shape, affine = sample.stack.grid(image).shape, sample.affine_of(image)
    folder, of_labels = paths.image_at(path), paths.labels_at(path)
    place: dict[str, Any] = {
        "is_volume": shape[0] > 1,
        "factors": factors,
        "affine": affine,
        "z_step_um": sample.z_step_um,
    }
    levels: list[Path] = []
    for name in LABELS:
        levels += _coarsen(of_labels / name, shape, factors, None, "nearest", workers)
        write_image_metadata(of_labels / name, name=name, **place)
    write_labels_group(of_labels, LABELS)
    levels += _coarsen(folder, shape, factors, sample.shape[0], "mean", workers)
    name = f"{job.sample_name} {sample.images[image].name}" if sample.images else job.sample_name
    write_image_metadata(folder, name=name, channels=sample.channels, windows=windows, **place)
    groups = [folder, of_labels, *(of_labels / name for name in LABELS)]
    return [*levels, *(group / "zarr.json" for group in groups)]


def _coarsen(
    folder: Path, shape: Triple, factors: list[Triple], n_channels: int | None, how: How, workers: int
) -> list[Path]:
    """Write levels 1 and up below a folder that holds level 0; returns their paths."""
    for old in folder.glob("[0-9]*"):
        if old.name != "0":
            shutil.rmtree(old)
    if len(factors) == 1:
        return []
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
