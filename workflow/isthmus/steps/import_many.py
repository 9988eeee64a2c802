"""import_image for a sample of many images: all in one store, one histogram a channel for all of them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Grid, Region, Triple
from isthmus.blocks.stack import Stack
from isthmus.errors import UserError
from isthmus.image.ome_zarr import Level, create_level
from isthmus.image.source import ImagePart, NamedImage
from isthmus.image.templates import Templates
from isthmus.packs.pool import run_tasks
from isthmus.plan.layout import CHUNK_PX, VOLUME_CHUNK_PX, channels_of_shard
from isthmus.plan.model import SamplePlan
from isthmus.readers.registry import read_sample
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
class _Task:
    """One shard of one image, for all channels or for one.

    start is the first pixel (z, y, x) of the image in use; number is that of the shard among those of all images.
    """

    name: str
    part: ImagePart
    start: Triple
    array: Path
    grid: Grid
    index: int
    number: int
    channels: tuple[int, ...]
    where: str
    values: tuple[float, float] | None


def import_many(job: Job, *, workers: int) -> None:
    """Copy all images of a sample; what was there before is replaced only at the end."""
    sample, paths = job.sample, job.sample_paths
    images = _images(job)
    partial_store = paths.work / "import.partial"
    shutil.rmtree(partial_store, ignore_errors=True)
    values = settings_of(job.plan).image.intensity_range
    dtype = stored_dtype(sample.dtype, values)
    templates = Templates(partial(_make_level, job.digest, sample, dtype))
    stack = shards_of_many(sample)
    for number, image in enumerate(sample.images):
        templates.write(partial_store / image.path / "0", stack.grid(number).shape)
    histograms = np.zeros((sample.shape[0], N_VALUES), dtype=np.int64)
    brightness = np.zeros((sample.shape[0], stack.n_blocks), dtype=np.int64)
    where = str(sample.sheet.get("where") or job.sample_name)
    tasks = list(_tasks(sample, images, partial_store, stack, where, values))
    for done, outcome in enumerate(
        run_tasks(_import_shard, tasks, workers=workers, preload=(__name__,)), start=1
    ):
        if outcome.result is None:
            raise outcome.error or RuntimeError("no result")
        for channel, counts in zip(outcome.task.channels, outcome.result, strict=True):
            histograms[channel, : counts.size] += counts
            brightness[channel, outcome.task.number] = counts @ np.arange(counts.size)
        if done % 100 == 0 or done == len(tasks):
            log.info("shard %d of %d", done, len(tasks))
    save_histograms(paths.histograms, histograms=histograms, brightness=brightness)
    levels = _put_in_place(partial_store, paths.image, sample.image_paths, job.digest)
    shards = describe_shards(job.paths.root, *levels)
    job.n_files += len(shards)
    job.write_record(paths.record("import_image"), {"shards": shards})


def shards_of_many(sample: SamplePlan) -> Stack:
    """The shards of all imported images; they don't depend on the blocks."""
    return Stack.of((image.shape for image in sample.images), sample.shard_px)


def _images(job: Job) -> tuple[NamedImage, ...]:
    """The images in use as the reader finds them now, which must be those of the plan."""
    wanted = set(job.sample.image_paths)
    images = tuple(image for image in read_sample(sheet_sample(job.sample)).images if image.path in wanted)
    if [image.path for image in images] != list(job.sample.image_paths):
        raise UserError(
            where=str(job.sample.sheet.get("where") or job.sample_name),
            found=f"there are other images than when the run was planned: {len(images)}, not {job.sample.n_images}",
            do="run again with `isthmus run`",
        )
    return images


def _tasks(
    sample: SamplePlan,
    images: tuple[NamedImage, ...],
    store: Path,
    stack: Stack,
    where: str,
    values: tuple[float, float] | None,
) -> Iterator[_Task]:
    n_channels = sample.shape[0]
    for number, image in enumerate(images):
        grid = stack.grid(number)
        together = channels_of_shard(grid.shape, grid.block_px, n_channels)
        for first in range(0, n_channels, together):
            channels = tuple(range(first, first + together))
            for index in range(grid.n_blocks):
                shard = stack.first_block(number) + index
                array, start = store / image.path / "0", sample.images[number].start
                yield _Task(image.name, image.part, start, array, grid, index, shard, channels, where, values)


def _make_level(
    digest: str, sample: SamplePlan, dtype: np.dtype[np.unsignedinteger], path: Path, shape: Triple
) -> None:
    shard, n_channels = sample.shard_px, sample.shape[0]
    level = create_level(
        path,
        shape=shape,
        dtype=dtype,
        chunk=VOLUME_CHUNK_PX if shape[0] > 1 else CHUNK_PX,
        shard=shard,
        n_channels=n_channels,
        together=channels_of_shard(shape, shard, n_channels),
    )
    level.array.attrs["isthmus"] = {"digest": digest}


def _import_shard(task: _Task) -> list[npt.NDArray[np.int64]]:
    """Copy one shard; returns the histogram of each of its channels, up to the largest value."""
    write = task.grid.block(task.index).write
    where = f"{task.where}, image {task.name}"
    try:
        planes = [_read(task, channel, write) for channel in task.channels]
    except UserError as error:
        raise UserError(where=where, found=f"{error.where}: {error.found}", do=error.do) from None
    planes = [
        as_stored(plane, task.values, channel=channel, where=where)
        for channel, plane in zip(task.channels, planes, strict=True)
    ]
    level = Level.open(task.array, is_volume=task.grid.shape[0] > 1, has_channels=True, mode="r+")
    pixels = np.stack(planes).astype(level.array.dtype)
    if len(task.channels) > 1:
        level.write_channels(write, pixels)
    else:
        level.write(write, pixels[0], task.channels[0])
    return [np.trim_zeros(count_pixels(plane), "b") for plane in planes]


def _read(task: _Task, channel: int, write: Region) -> npt.NDArray[np.generic]:
    pixels = task.part.open().read(channel, write.moved(task.start).slices)
    if pixels.shape != write.shape:
        sizes = (" x ".join(map(str, shape)) for shape in (pixels.shape, write.shape))
        raise UserError(
            where=f"channel {channel}",
            found="it has {} pixels (z, y, x) instead of {}".format(*sizes),
            do="copy it again from its source, or leave this image out",
        )
    return pixels


def _put_in_place(new: Path, store: Path, paths: tuple[str, ...], digest: str) -> list[Path]:
    """Make the new arrays those of the store; returns them. Labels stay only if they belong to the same pixels."""
    levels = [store / path / "0" for path in paths]
    if digest not in (digest_of_level(level) for level in levels):
        shutil.rmtree(store, ignore_errors=True)
    for path, level in zip(paths, levels, strict=True):
        shutil.rmtree(level, ignore_errors=True)
        level.parent.mkdir(parents=True, exist_ok=True)
        (new / path / "0").rename(level)
    shutil.rmtree(new)
    return levels
