"""Transcripts binned by place: written once in bounded runs, read block by block.

A run is one file of at most RUN_ROWS transcripts that follow each other in the input, sorted by tile: a fixed lattice
of TILE_PX pixels that has nothing to do with blocks. Its head tells which rows of the input it covers and where each
tile begins. A block maps the runs into memory and touches only the head and the rows of its tiles.

Layout (little endian): 7 x int64 (_MAGIC, first row of the input, rows of the input covered, tiles down, tiles across,
tiles t that have transcripts, transcripts n), t x int64 tile numbers in increasing order, (t + 1) x int64 first
transcript of each, n x POINT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region, Triple
from isthmus.errors import UserError

TILE_PX: Triple = (64, 256, 256)
"""Extent of a tile (z, y, x)."""

RUN_ROWS = 1 << 22

POINT = np.dtype(
    [("row", "<u4"), ("feature", "<i4"), ("qv", "<f4"), ("z", "<u2"), ("y", "u1"), ("x", "u1")], align=True
)
"""row: place in the input, from the run's first; feature: its code; qv: +inf where the input has none; z: plane of the
image; y, x: pixel from the upper left corner of the tile."""

_HEAD = np.dtype("<i8")
_N_HEAD = 7
_MAGIC = 0x31534E5552485349

Int64 = npt.NDArray[np.int64]
Points = npt.NDArray[np.void]


@dataclass(frozen=True)
class Run:
    """A run, mapped into memory.

    first_row, n_rows
        The rows of the input that it covers; those of them that are outside the window are not in it.
    lattice
        Tiles down and across.
    tiles, first
        Numbers of the tiles that have transcripts, and the place of the first of each (one more at the end).
    points
        The transcripts (POINT), tile by tile, in each in the order of the input.
    """

    path: Path
    first_row: int
    n_rows: int
    lattice: tuple[int, int]
    tiles: Int64
    first: Int64
    points: Points


@dataclass(frozen=True)
class Segment:
    """Transcripts of neighbouring tiles of one run: its tiles, and the first transcript of each, from `begin` on."""

    run: Run
    begin: int
    tiles: Int64
    first: Int64
    points: Points


def lattice_of(shape: Triple) -> Triple:
    """Tiles along each axis of an image (z, y, x)."""
    z, y, x = (-(-n // t) for n, t in zip(shape, TILE_PX, strict=True))
    return (z, y, x)


def save_run(
    path: Path, points: Points, starts: Int64, *, lattice: tuple[int, int], first_row: int, n_rows: int
) -> None:
    """Write one run, whole or not at all.

    Parameters
    ----------
    points
        Transcripts sorted by tile.
    starts
        Place of the first transcript of every tile of the lattice, one more at the end.
    lattice
        Tiles down and across.
    first_row, n_rows
        The rows of the input that the run covers.
    """
    tiles = np.flatnonzero(starts[1:] > starts[:-1]).astype(_HEAD)
    first = np.append(starts[tiles], points.size).astype(_HEAD)
    head = np.array([_MAGIC, first_row, n_rows, *lattice, tiles.size, points.size], dtype=_HEAD)
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        for part in (head, tiles, first, points):
            part.tofile(file)
    temporary.replace(path)


def run_paths(folder: Path) -> list[Path]:
    """Files of the runs of a folder, in the order of the input."""
    return sorted(folder.glob("run-*.bin"))


def open_run(path: Path) -> Run:
    """Map a run into memory."""
    if path.stat().st_size < _N_HEAD * _HEAD.itemsize:
        raise _damaged(path)
    mapped = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    magic, first_row, n_rows, down, across, n_tiles, n_points = (
        int(number) for number in mapped[: _N_HEAD * _HEAD.itemsize].view(_HEAD)
    )
    begin = (_N_HEAD + 2 * n_tiles + 1) * _HEAD.itemsize
    if magic != _MAGIC or mapped.size != begin + n_points * POINT.itemsize:
        raise _damaged(path)
    numbers = mapped[:begin].view(_HEAD)[_N_HEAD:]
    return Run(
        path,
        first_row,
        n_rows,
        (down, across),
        numbers[:n_tiles],
        numbers[n_tiles:],
        mapped[begin:].view(POINT),
    )


def segments(folder: Path, region: Region) -> Iterator[Segment]:
    """What has the transcripts of a region, and perhaps others of the tiles that the region cuts."""
    for path in run_paths(folder):
        yield from run_segments(open_run(path), region)


def run_segments(run: Run, region: Region) -> Iterator[Segment]:
    """The same of one run, one row of tiles after the other."""
    down, across = run.lattice
    low = [a // t for a, t in zip(region.start, TILE_PX, strict=True)]
    high = [-(-b // t) for b, t in zip(region.stop, TILE_PX, strict=True)]
    for tile_z in range(low[0], high[0]):
        for tile_y in range(low[1], high[1]):
            row = (tile_z * down + tile_y) * across
            a, b = np.searchsorted(run.tiles, [row + low[2], row + high[2]])
            if a < b:
                begin, end = int(run.first[a]), int(run.first[b])
                yield Segment(run, begin, run.tiles[a:b], run.first[a : b + 1] - begin, run.points[begin:end])


def empty_points(n: int) -> npt.NDArray[Any]:
    """Room for n transcripts."""
    return np.empty(n, dtype=POINT)


def _damaged(path: Path) -> UserError:
    return UserError(
        where=str(path),
        found="the binned transcripts are cut short or of another version",
        do="run again with `isthmus run`, which repairs it",
    )
