"""The vendor's polygons as a label image, painted window by window.

Polygons are first put on disk by place: vertices in pixels, and for every tile the polygons that touch it. So a window
reads only its own, and memory follows the window; making the files takes memory by the number of polygons, not of their
vertices. Where polygons overlap, the pixel goes to the smallest id: the same whatever the order of the file or the cut.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Triple
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.source import PolygonBatch, PolygonsPart, Window
from isthmus.segment.imported import MAX_ID
from isthmus.segment.polygon_kernels import paint

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

TILE_PX = 256
_ABOUT = "about.json"
_VERTICES = "vertices.bin"


@dataclass(frozen=True)
class PolygonLabels:
    """A pixel source whose pixels are the ids of polygons on disk (see `store_polygons`)."""

    folder: Path

    @cached_property
    def _shape(self) -> Triple:
        z, y, x = json.loads((self.folder / _ABOUT).read_text())["shape"]
        return z, y, x

    def read(self, channel: int, window: Window) -> Int64:
        """Ids (z, y, x) of a window, 0 where no polygon is."""
        starts = [int(side.start) for side in window]
        made = np.zeros([side.stop - side.start for side in window], dtype=np.int64)
        vertices = np.memmap(self.folder / _VERTICES, dtype=np.float64, mode="r").reshape(-1, 2)
        first_vertex, first_ring = self._column("first_vertex"), self._column("first_ring")
        ids, planes = self._column("ids"), self._column("planes")
        touching = self._touching(window)
        # Painted from the largest id to the smallest, so that the smallest stays.
        for number in touching[np.argsort(ids[touching])[::-1]].tolist():
            plane = int(planes[number]) - starts[0]
            if not 0 <= plane < made.shape[0]:
                continue
            rings = np.array(first_ring[number : number + 2])
            bounds = np.array(first_vertex[rings[0] : rings[1] + 1])
            part = np.array(vertices[bounds[0] : bounds[-1]])
            paint(
                *(part, bounds - bounds[0], 0, bounds.size - 1, int(ids[number])),
                *(starts[1], starts[2], made[plane]),
            )
        return made

    def _column(self, name: str) -> Int64:
        """A column that is mapped, not read: only the parts that are looked at come into memory."""
        mapped: Int64 = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return mapped

    def _touching(self, window: Window) -> Int64:
        """Numbers of the polygons whose surroundings share a tile with the window."""
        first, polygons = self._column("tile_first"), self._column("tile_polygons")
        tiles_x = -(-self._shape[2] // TILE_PX)
        (top, bottom), (left, right) = (
            (side.start // TILE_PX, -(-side.stop // TILE_PX)) for side in window[1:]
        )
        found = [
            polygons[first[row * tiles_x + left] : first[row * tiles_x + right]] for row in range(top, bottom)
        ]
        return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *found]))


def store_polygons(part: PolygonsPart, folder: Path, *, affine: Affine, shape: Triple, where: str) -> int:
    """Put polygons on disk by place; the folder appears whole. Returns how many lie in the image.

    Parameters
    ----------
    affine, shape
        Pixels to micrometres, and shape (z, y, x), of the image that the labels are for.
    where
        What an error message starts with.

    Raises
    ------
    UserError
        No polygon touches the image, or an id is out of range.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with (partial / _VERTICES).open("wb") as file:
        stored = _Stored(file)
        for batch in part.batches():
            _check_ids(batch.ids, where)
            stored.add(batch, affine, shape, part.only_plane)
    if not stored.n:
        check_polygons(part, affine=affine, shape=shape, where=where)
        found = f"none of the polygons of the planes in use ({part.only_plane}) lies in the image"
        raise UserError(where=where, found=found, do="choose another plane (image.z)")
    stored.write(partial, shape)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return stored.n


def check_polygons(part: PolygonsPart, *, affine: Affine, shape: Triple, where: str) -> None:
    """Raise a UserError where no polygon lies in the image; as a rule the first batch shows one."""
    n, low, high = 0, np.full(2, np.inf), np.full(2, -np.inf)
    for batch in part.batches():
        n += batch.ids.size
        if not batch.xy_um.size:
            continue
        column, row = affine.to_px(batch.xy_um[:, 0], batch.xy_um[:, 1])
        if ((column >= 0) & (column < shape[2]) & (row >= 0) & (row < shape[1])).any():
            return
        low, high = np.minimum(low, batch.xy_um.min(axis=0)), np.maximum(high, batch.xy_um.max(axis=0))
    raise _no_overlap(n, low, high, affine, shape, where)


class _Stored:
    """Takes polygons batch by batch; vertices go to disk at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.n = file, 0
        self._columns: dict[str, list[Int64]] = {"ids": [], "planes": [], "n_rings": [], "n_vertices": []}
        self._boxes: list[Int64] = []

    def add(self, batch: PolygonBatch, affine: Affine, shape: Triple, only_plane: int | None) -> None:
        column, row = affine.to_px(batch.xy_um[:, 0], batch.xy_um[:, 1])
        vertices = np.column_stack([column, row])
        planes = np.zeros_like(batch.planes) if shape[0] == 1 else batch.planes
        for number, (begin, end) in enumerate(_ranges(batch.first_ring)):
            bounds = batch.first_vertex[begin : end + 1]
            inside = vertices[bounds[0] : bounds[-1]]
            is_wanted = only_plane is None or batch.planes[number] == only_plane
            box = _box(inside, shape) if is_wanted and inside.shape[0] > 2 else None
            if box is None or not 0 <= planes[number] < shape[0]:
                continue
            self._file.write(np.ascontiguousarray(inside).tobytes())
            self._columns["ids"].append(batch.ids[number : number + 1])
            self._columns["planes"].append(planes[number : number + 1])
            self._columns["n_rings"].append(np.array([end - begin]))
            self._columns["n_vertices"].append(np.diff(bounds))
            self._boxes.append(box)
            self.n += 1

    def write(self, folder: Path, shape: Triple) -> None:
        """Write all but the vertices."""
        columns = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        first, polygons = _by_tile(np.stack(self._boxes), shape)
        made = {
            "ids": columns["ids"],
            "planes": columns["planes"],
            "first_ring": _firsts(columns["n_rings"]),
            "first_vertex": _firsts(columns["n_vertices"]),
            "tile_first": first,
            "tile_polygons": polygons,
        }
        for name, values in made.items():
            np.save(folder / f"{name}.npy", values.astype(np.int64))
        (folder / _ABOUT).write_text(json.dumps({"shape": list(shape)}))


def _ranges(first: Int64) -> Iterator[tuple[int, int]]:
    return zip(first[:-1].tolist(), first[1:].tolist(), strict=True)


def _firsts(sizes: Int64) -> Int64:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])


def _box(vertices: Float64, shape: Triple) -> Int64 | None:
    """Tiles (top, left, bottom, right, inclusive) that a polygon may touch; None where it lies beyond the image."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    if not (high[0] >= 0 and low[0] < shape[2] and high[1] >= 0 and low[1] < shape[1]):
        return None
    last = (shape[1] - 1, shape[2] - 1)
    first = [max(0, int(low[axis])) // TILE_PX for axis in (1, 0)]
    end = [min(int(high[axis]), last[1 - axis]) // TILE_PX for axis in (1, 0)]
    return np.array([*first, *end], dtype=np.int64)


def _by_tile(boxes: Int64, shape: Triple) -> tuple[Int64, Int64]:
    """First entry of each tile (row-major, one more than tiles) and the polygons of all tiles."""
    tiles_y, tiles_x = -(-shape[1] // TILE_PX), -(-shape[2] // TILE_PX)
    height, width = boxes[:, 2] - boxes[:, 0] + 1, boxes[:, 3] - boxes[:, 1] + 1
    times = height * width
    polygon = np.repeat(np.arange(boxes.shape[0]), times)
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    row = boxes[polygon, 0] + within // width[polygon]
    column = boxes[polygon, 1] + within % width[polygon]
    tile = row * tiles_x + column
    order = np.argsort(tile, kind="stable")
    return np.searchsorted(tile[order], np.arange(tiles_y * tiles_x + 1)), polygon[order]


def _check_ids(ids: Int64, where: str) -> None:
    wrong = ids <= 0
    if wrong.any():
        raise UserError(
            where=where,
            found=f"a polygon has the id {int(ids[wrong][0])}",
            do=f"number cells from 1 to {MAX_ID}",
        )


def _no_overlap(n: int, low: Float64, high: Float64, affine: Affine, shape: Triple, where: str) -> UserError:
    if not n:
        return UserError(where=where, found="there are no polygons", do="name the file that holds them")
    x, y = affine.to_um(np.array([0.0, shape[2]]), np.array([0.0, shape[1]]))
    return UserError(
        where=where,
        found=f"none of {n} polygons lies in the image: they cover x {low[0]:.1f} to {high[0]:.1f}, y {low[1]:.1f} to"
        f" {high[1]:.1f} um, the image x {x.min():.1f} to {x.max():.1f}, y {y.min():.1f} to {y.max():.1f} um",
        do="name the polygons that belong to this image",
    )
