"""Kernels that bin transcripts: micrometres to pixels, and a counting sort by tile."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.kernel import kernel
from isthmus.quantify.points import TILE_PX

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]

_TILE_Z, _TILE_Y, _TILE_X = TILE_PX


@kernel
def place(
    x_um: Floats,
    y_um: Floats,
    z_um: Floats,
    affine: npt.NDArray[np.float64],
    z_step_um: float,
    image: Int64,
    window: Int64,
    lattice: Int64,
    gene: Int32,
    code_of: Int32,
    qv: npt.NDArray[np.float32],
    first: int,
    points: npt.NDArray[Any],
    tile: Int32,
    n: int,
) -> tuple[int, int]:
    """Append the transcripts of a batch that lie in the window.

    Parameters
    ----------
    x_um, y_um, z_um
        Finite coordinates; z_um is empty where the plane is 0 whatever z is.
    affine
        a, b, c, d, e, f of the image: x_um = a column + b row + c, y_um = d column + e row + f.
    z_step_um
        Pixel k along z covers [k, k + 1) x z_step_um.
    image
        Shape (z, y, x) of the input image.
    window
        Start and stop (z, y, x) of the part in use, six numbers; points get the pixels of that part.
    lattice
        Tiles (z, y, x) of the part in use.
    gene, code_of, qv
        Entry of the batch's dictionary, and the feature code of each entry; qualities, or empty where there are none.
    first
        Row of the batch's first transcript, from the run's first.
    points, tile, n
        Room for transcripts and the numbers of their tiles, of which n are taken.

    Returns
    -------
    tuple
        n afterwards, and how many of the batch lie in the input image.
    """
    a, b, c, d, e, f = affine[0], affine[1], affine[2], affine[3], affine[4], affine[5]
    det = a * e - b * d
    n_in_image = 0
    for i in range(x_um.size):
        x, y = np.float64(x_um[i]) - c, np.float64(y_um[i]) - f
        column, row = (e * x - b * y) / det, (a * y - d * x) / det
        plane = np.float64(z_um[i]) / z_step_um if z_um.size else 0.0
        # Compared as they are: what is far outside has no whole number. What is inside is not negative, so cutting
        # the decimals off rounds down.
        if not (0.0 <= column < image[2] and 0.0 <= row < image[1] and 0.0 <= plane < image[0]):
            continue
        n_in_image += 1
        pz, py, px = int(plane), int(row), int(column)
        if pz < window[0] or pz >= window[3] or py < window[1] or py >= window[4]:
            continue
        if px < window[2] or px >= window[5]:
            continue
        pz, py, px = pz - window[0], py - window[1], px - window[2]
        tile_z, tile_y, tile_x = pz // _TILE_Z, py // _TILE_Y, px // _TILE_X
        point = points[n]
        point.row = first + i
        point.feature = code_of[gene[i]]
        point.qv = qv[i] if qv.size else np.inf
        point.z = pz
        point.y = py - tile_y * _TILE_Y
        point.x = px - tile_x * _TILE_X
        tile[n] = (tile_z * lattice[1] + tile_y) * lattice[2] + tile_x
        n += 1
    return n, n_in_image


@kernel
def sort_by_tile(points: npt.NDArray[Any], tile: Int32, starts: Int64, out: npt.NDArray[Any]) -> None:
    """Stable counting sort.

    Parameters
    ----------
    points, tile
        Transcripts and their tiles.
    starts
        Filled: first place of each tile and the end.
    out
        Filled: the transcripts by tile.
    """
    starts[:] = 0
    for i in range(tile.size):
        starts[tile[i] + 1] += 1
    for k in range(1, starts.size):
        starts[k] += starts[k - 1]
    for i in range(tile.size):
        at = starts[tile[i]]
        out[at] = points[i]
        starts[tile[i]] = at + 1
    for k in range(starts.size - 1, 0, -1):
        starts[k] = starts[k - 1]
    starts[0] = 0


@kernel
def first_seen(indices: Int32, seen: npt.NDArray[np.bool_], order: Int32) -> int:
    """Note which entries of a dictionary occur, in the order in which they first do; returns their number.

    seen is all False and becomes True for these; order has room for all entries.
    """
    n = 0
    for i in range(indices.size):
        if not seen[indices[i]]:
            seen[indices[i]] = True
            order[n] = indices[i]
            n += 1
            if n == seen.size:
                break
    return n
