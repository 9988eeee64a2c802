"""import_transcripts: the vendor's transcripts, binned by place in one pass, in bounded memory."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.plan.model import SamplePlan
from isthmus.quantify.points import RUN_ROWS, SCHEMA, TILE_PX, write_run
from isthmus.readers.registry import read_sample
from isthmus.steps.job import Job
from isthmus.steps.sheet import sheet_sample
from isthmus.steps.stored import describe_shards

log = logging.getLogger(__name__)

BATCH_ROWS = 500_000

Columns = dict[str, npt.NDArray[Any]]


@dataclass
class _Tally:
    """What was seen so far."""

    n_rows: int = 0
    n_in_image: int = 0
    n_in_window: int = 0
    codes: dict[str, int] = field(default_factory=dict)
    low: npt.NDArray[np.float64] = field(default_factory=lambda: np.full(2, np.inf))
    high: npt.NDArray[np.float64] = field(default_factory=lambda: np.full(2, -np.inf))


def import_transcripts(job: Job) -> None:
    """Read the transcripts batch by batch, keep those in the window, write them sorted by tile."""
    sample, paths = job.sample, job.sample_paths
    points = read_sample(sheet_sample(sample)).points
    if points is None:
        raise UserError(
            where=str(sample.sheet["where"]), found="there are no transcripts", do="see column transcripts"
        )
    folder = paths.work / "points.partial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tally, waiting, n_waiting = _Tally(), list[Columns](), 0
    runs = 0
    tiles_across = -(-sample.window.shape[2] // TILE_PX)
    for batch in points.batches(BATCH_ROWS):
        columns = _place(batch, sample, tally)
        waiting.append(columns)
        n_waiting += columns["row"].size
        if n_waiting >= RUN_ROWS:
            _flush(folder, runs, waiting, tiles_across)
            runs, n_waiting = runs + 1, 0
        log.info("%d transcripts read", tally.n_rows)
    _flush(folder, runs, waiting, tiles_across)
    _check_overlap(tally, sample)
    shutil.rmtree(paths.points, ignore_errors=True)
    folder.rename(paths.points)
    shards = describe_shards(job.paths.root, paths.points)
    job.n_files += len(shards)
    job.write_record(
        paths.record("import_transcripts"),
        {
            "genes": list(tally.codes),
            "n_rows": tally.n_rows,
            "n_in_image": tally.n_in_image,
            "n_in_window": tally.n_in_window,
            "shards": shards,
        },
    )


def _place(batch: pa.RecordBatch, sample: SamplePlan, tally: _Tally) -> Columns:
    """The rows of a batch that lie in the window, as pixels of the window."""
    x_um = batch.column("x_um").to_numpy(zero_copy_only=False)
    y_um = batch.column("y_um").to_numpy(zero_copy_only=False)
    column, row = Affine(*sample.affine).to_px(x_um, y_um)
    x, y = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    z = np.zeros(x.size, dtype=np.int64)
    if sample.shape[1] > 1 and "z_um" in batch.schema.names:
        z = np.floor(batch.column("z_um").to_numpy(zero_copy_only=False) / sample.z_step_um).astype(np.int64)
    _, nz, ny, nx = sample.shape
    in_image = (x >= 0) & (x < nx) & (y >= 0) & (y < ny) & (z >= 0) & (z < nz)
    start, stop = sample.window_start, sample.window_stop
    inside = in_image & (x >= start[2]) & (x < stop[2]) & (y >= start[1]) & (y < stop[1])
    codes = _codes(batch.column("gene"), tally.codes)
    qv = np.full(x.size, np.inf, dtype=np.float32)
    if "qv" in batch.schema.names:
        qv = batch.column("qv").to_numpy(zero_copy_only=False).astype(np.float32)
    rows = np.arange(tally.n_rows, tally.n_rows + x.size, dtype=np.int64)
    if x.size:
        tally.low = np.minimum(tally.low, [x_um.min(), y_um.min()])
        tally.high = np.maximum(tally.high, [x_um.max(), y_um.max()])
    tally.n_rows += x.size
    tally.n_in_image += int(in_image.sum())
    tally.n_in_window += int(inside.sum())
    columns: Columns = {"row": rows, "z": z, "y": y - start[1], "x": x - start[2], "gene": codes, "qv": qv}
    return {
        name: columns[name][inside].astype(SCHEMA.field(name).type.to_pandas_dtype()) for name in SCHEMA.names
    }


def _codes(genes: pa.DictionaryArray, known: dict[str, int]) -> npt.NDArray[np.int64]:
    """Codes by first appearance in the whole input."""
    names = genes.dictionary.to_pylist()
    indices = genes.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    used, first = np.unique(indices, return_index=True)
    table = np.zeros(len(names), dtype=np.int64)
    for index in used[np.argsort(first)]:
        table[index] = known.setdefault(names[index], len(known))
    codes: npt.NDArray[np.int64] = table[indices]
    return codes


def _flush(folder: Path, run: int, waiting: list[Columns], tiles_across: int) -> None:
    if not waiting:
        return
    columns = {name: np.concatenate([part[name] for part in waiting]) for name in SCHEMA.names}
    waiting.clear()
    if columns["row"].size:
        write_run(folder / f"run-{run:04d}.arrow", columns, tiles_across)


def _check_overlap(tally: _Tally, sample: SamplePlan) -> None:
    """A wrong affine or pixel size is told by where the transcripts lie."""
    if tally.n_in_image:
        return
    raise no_overlap(
        where=str(sample.sheet["where"]),
        n_rows=tally.n_rows,
        low=tally.low,
        high=tally.high,
        affine=Affine(*sample.affine),
        shape=sample.shape,
    )


def no_overlap(
    *,
    where: str,
    n_rows: int,
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    affine: Affine,
    shape: tuple[int, int, int, int],
) -> UserError:
    """The error for an image and transcripts that do not lie on each other; low and high are x, y in um."""
    x, y = affine.to_um(np.array([0.0, shape[3]]), np.array([0.0, shape[2]]))
    return UserError(
        where=where,
        found=f"none of {n_rows} transcripts lies in the image: they cover x {low[0]:.1f} to {high[0]:.1f}, "
        f"y {low[1]:.1f} to {high[1]:.1f} um, the image x {x.min():.1f} to {x.max():.1f}, "
        f"y {y.min():.1f} to {y.max():.1f} um",
        do="mend pixel_size_um, origin_x_um and origin_y_um, or affine, in the sample sheet",
    )
