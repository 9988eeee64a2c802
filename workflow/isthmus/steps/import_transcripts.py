"""import_transcripts: the vendor's transcripts, binned by place in one pass, in bounded memory."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.plan.model import SamplePlan
from isthmus.quantify.binning import first_seen, place, sort_by_tile
from isthmus.quantify.points import RUN_ROWS, empty_points, lattice_of, save_run
from isthmus.readers.registry import read_sample
from isthmus.steps.job import Job
from isthmus.steps.sheet import sheet_sample
from isthmus.steps.stored import describe_shards

log = logging.getLogger(__name__)

BATCH_ROWS = 1 << 19

_LONGEST_RUN = 1 << 32
"""Rows of the input that a run may cover: a transcript notes its own from the first one on, in 32 bits."""


@dataclass
class Tally:
    """What was seen so far."""

    n_rows: int = 0
    n_in_image: int = 0
    n_in_window: int = 0
    codes: dict[str, int] = field(default_factory=dict)
    low: npt.NDArray[np.float64] = field(default_factory=lambda: np.full(2, np.inf))
    high: npt.NDArray[np.float64] = field(default_factory=lambda: np.full(2, -np.inf))

    def add(self, batch: pa.RecordBatch, n_in_image: int, n_in_window: int) -> None:
        """Count a batch; where the transcripts lie is of interest only while none lies in the image."""
        self.n_rows += batch.num_rows
        self.n_in_image += n_in_image
        self.n_in_window += n_in_window
        if batch.num_rows and not self.n_in_image:
            x_um, y_um = _column(batch, "x_um"), _column(batch, "y_um")
            self.low = np.minimum(self.low, [x_um.min(), y_um.min()])
            self.high = np.maximum(self.high, [x_um.max(), y_um.max()])


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
    tally = bin_transcripts(points.batches(BATCH_ROWS), sample, folder)
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


def bin_transcripts(batches: Iterable[pa.RecordBatch], sample: SamplePlan, folder: Path) -> Tally:
    """Write the runs of all transcripts in the window; memory holds one run, before and after sorting."""
    tally, runs = Tally(), _Runs(folder, sample)
    for batch in batches:
        runs.add(batch, tally)
        log.info("%d transcripts read", tally.n_rows)
    runs.flush(tally.n_rows)
    return tally


class _Runs:
    """Takes batches until a run is full, and writes it.

    A run begins where the one before ends, so that all together cover the rows of the input without a gap, but for the
    rows after the last transcript in the window.
    """

    def __init__(self, folder: Path, sample: SamplePlan) -> None:
        self._folder, self._sample = folder, sample
        window = sample.points_window
        self._lattice = np.array(lattice_of(window.shape), dtype=np.int64)
        self._image = np.array(sample.points_shape, dtype=np.int64)
        self._window = np.array([*window.start, *window.stop], dtype=np.int64)
        self._affine = np.array(sample.affine, dtype=np.float64)
        self._starts = np.zeros(int(self._lattice.prod()) + 1, dtype=np.int64)
        self._waiting, self._sorted = empty_points(0), empty_points(0)
        self._tile = np.empty(0, dtype=np.int32)
        self._n = self._first_row = self._n_runs = 0

    def add(self, batch: pa.RecordBatch, tally: Tally) -> None:
        """Take the transcripts of a batch that lie in the window."""
        n = batch.num_rows
        if self._n and (self._n + n > RUN_ROWS or tally.n_rows + n - self._first_row > _LONGEST_RUN):
            self.flush(tally.n_rows)
        if not self._n and tally.n_rows + n - self._first_row > _LONGEST_RUN:
            self._first_row = tally.n_rows
        self._make_room(n)
        found, n_in_image = place(
            _column(batch, "x_um"),
            _column(batch, "y_um"),
            self._planes(batch),
            self._affine,
            self._sample.plane_step_um or self._sample.z_step_um,
            self._image,
            self._window,
            self._lattice,
            *_codes(batch.column("gene"), tally.codes),
            _column(batch, "qv", np.float32),
            tally.n_rows - self._first_row,
            self._waiting,
            self._tile,
            self._n,
        )
        tally.add(batch, n_in_image, found - self._n)
        self._n = found

    def flush(self, row: int) -> None:
        """Write what waits; the next run begins at this row of the input."""
        if not self._n:
            return
        points = self._sorted[: self._n]
        sort_by_tile(self._waiting[: self._n], self._tile[: self._n], self._starts, points)
        save_run(
            self._folder / f"run-{self._n_runs:05d}.bin",
            points,
            self._starts,
            lattice=(int(self._lattice[1]), int(self._lattice[2])),
            first_row=self._first_row,
            n_rows=row - self._first_row,
        )
        self._n_runs, self._first_row, self._n = self._n_runs + 1, row, 0

    def _make_room(self, n: int) -> None:
        """Room for a run, or for a batch if that is larger; memory is taken only as it fills up."""
        if self._n + n > self._waiting.size:
            size = max(n, RUN_ROWS)
            self._waiting, self._tile = empty_points(size), np.empty(size, dtype=np.int32)
            self._sorted = empty_points(size)

    def _planes(self, batch: pa.RecordBatch) -> npt.NDArray[np.floating[Any]]:
        """Z in micrometres where the image is a volume or a stack of planes; in a plane, z does not matter."""
        return _column(batch, "z_um" if self._sample.points_shape[0] > 1 else "")


def _column(batch: pa.RecordBatch, name: str, dtype: type = np.float64) -> npt.NDArray[Any]:
    """A column as it is, or nothing where the input lacks it."""
    if name not in batch.schema.names:
        return np.frombuffer(b"", dtype=dtype)
    values: npt.NDArray[Any] = batch.column(name).to_numpy(zero_copy_only=False)
    return values


def _codes(
    genes: pa.DictionaryArray, known: dict[str, int]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Entry of the dictionary of each row, and code of each entry, by first appearance in the whole input."""
    names = genes.dictionary.to_pylist()
    indices = genes.indices.to_numpy(zero_copy_only=False)
    order = np.empty(len(names), dtype=np.int32)
    n = first_seen(indices, np.zeros(len(names), dtype=bool), order)
    table = np.zeros(len(names), dtype=np.int32)
    for index in order[:n].tolist():
        table[index] = known.setdefault(names[index], len(known))
    return indices, table


def _check_overlap(tally: Tally, sample: SamplePlan) -> None:
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
