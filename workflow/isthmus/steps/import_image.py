"""import_image: the part of the input image in use, as sharded OME-Zarr, and its level-0 histograms."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Grid, Region, Triple
from isthmus.image.ome_zarr import Level, create_level
from isthmus.image.source import ImagePart
from isthmus.packs.pool import run_tasks
from isthmus.plan.layout import CHUNK_PX, VOLUME_CHUNK_PX, default_piece_px
from isthmus.readers.registry import read_sample
from isthmus.steps.import_many import import_many
from isthmus.steps.imported_pixels import (
    N_VALUES,
    as_stored,
    count_pixels,
    digest_of_level,
    save_histograms,
    stored_dtype,
)
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of, sheet_sample
from isthmus.steps.stored import describe_shards

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _ImportJob:
    source: ImagePart
    window: Region
    target: Path
    grid: Grid
    where: str
    values: tuple[float, float] | None


def import_image(job: Job, *, workers: int) -> None:
    """Copy the window of the input image shard by shard; what was there before is replaced only at the end."""
    sample, paths = job.sample, job.sample_paths
    if sample.images:
        import_many(job, workers=workers)
        return
    part = read_sample(sheet_sample(sample)).image
    chunk = VOLUME_CHUNK_PX if sample.window.shape[0] > 1 else CHUNK_PX
    grid = shards_of(sample.window.shape)
    shard = grid.block_px
    partial_level = paths.work / "import.partial"
    shutil.rmtree(partial_level, ignore_errors=True)
    values = settings_of(job.plan).image.intensity_range
    dtype = stored_dtype(sample.dtype, values)
    level = create_level(
        partial_level, shape=grid.shape, dtype=dtype, chunk=chunk, shard=shard, n_channels=sample.shape[0]
    )
    level.array.attrs["isthmus"] = {"digest": job.digest}
    where = str(sample.sheet.get("where") or job.sample_name)
    histograms = np.zeros((sample.shape[0], N_VALUES), dtype=np.int64)
    brightness = np.zeros((sample.shape[0], grid.n_blocks), dtype=np.int64)
    work = _ImportJob(part, sample.window, partial_level, grid, where, values)
    tasks = [(channel, index) for channel in range(sample.shape[0]) for index in range(grid.n_blocks)]
    for done, outcome in enumerate(
        run_tasks(partial(_import_shard, work), tasks, workers=workers, preload=(__name__,)), start=1
    ):
        if outcome.result is None:
            raise outcome.error or RuntimeError("no result")
        histograms[outcome.task[0]] += outcome.result
        brightness[outcome.task] = outcome.result @ np.arange(N_VALUES)
        log.info("shard %d of %d", done, len(tasks))
    save_histograms(paths.histograms, histograms=histograms, brightness=brightness)
    _put_in_place(partial_level, paths.image, job.digest)
    shards = describe_shards(job.paths.root, paths.image / "0")
    job.n_files += len(shards)
    job.write_record(paths.record("import_image"), {"shards": shards})


def shards_of(shape: Triple) -> Grid:
    """The shards of the imported image (z, y, x); they don't depend on the blocks."""
    return Grid(shape, default_piece_px(shape))


def _import_shard(job: _ImportJob, task: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Copy one shard of one channel; returns its histogram."""
    channel, index = task
    write = job.grid.block(index).write
    pixels = job.source.open().read(channel, write.moved(job.window.start).slices)
    pixels = as_stored(pixels, job.values, channel=channel, where=job.where)
    level = Level.open(job.target, is_volume=job.grid.shape[0] > 1, has_channels=True, mode="r+")
    level.write(write, pixels.astype(level.array.dtype), channel)
    return count_pixels(pixels)


def _put_in_place(new: Path, image: Path, digest: str) -> None:
    """Make the new level 0 the image's. Labels and other levels stay only if they belong to the same pixels.

    Killed between two of these steps, it finds out the same when it runs again.
    """
    level, aside = image / "0", image / "0.old"
    if digest in (digest_of_level(level), digest_of_level(aside)):
        if level.exists():
            shutil.rmtree(aside, ignore_errors=True)
            level.rename(aside)
    elif image.exists():
        shutil.rmtree(image)
    image.mkdir(parents=True, exist_ok=True)
    new.rename(level)
    shutil.rmtree(aside, ignore_errors=True)
