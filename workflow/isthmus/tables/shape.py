"""Shape of cells and nuclei from exact sums: position, size, ellipse, bounding box, perimeter, convex hull.

Definitions are those of scikit-image's regionprops, where a pixel counts as a point at its centre.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from isthmus.image.affine import Affine
from isthmus.quantify.perimeter import WEIGHTS
from isthmus.quantify.sums import BOUNDS, SHAPE_SUMS
from isthmus.tables.complete import Completed
from isthmus.tables.elementary import angle, cube_root, eigenvalues
from isthmus.tables.merge import CellSums
from isthmus.tables.surface import surface_um2

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_AT = {name: place for place, name in enumerate(SHAPE_SUMS)}


def centroid_um(shape: Int64, affine: Affine, z_step_um: float, *, is_volume: bool) -> Float64:
    """Centroids x, y(, z) in micrometres of cells with these SHAPE_SUMS (cells, 10).

    A centroid is origin + (mean index + 0.5) x size.
    """
    n = shape[:, _AT["n"]]
    x, y = affine.to_um(shape[:, _AT["x"]] / n + 0.5, shape[:, _AT["y"]] / n + 0.5)
    columns = [x, y]
    if is_volume:
        columns.append((shape[:, _AT["z"]] / n + 0.5) * z_step_um)
    return np.column_stack(columns)


def ellipse(shape: Int64, pixel_size_um: tuple[float, float]) -> dict[str, Float64]:
    """Axis lengths in micrometres, eccentricity and orientation in radians, in the plane of y and x.

    Orientation is the angle between the rows' axis (y) and the major axis, counter-clockwise, as in regionprops.
    """
    n = shape[:, _AT["n"]]
    size_y, size_x = pixel_size_um
    yy = _variance(shape, "yy", "y", "y", n) * (size_y * size_y)
    xx = _variance(shape, "xx", "x", "x", n) * (size_x * size_x)
    yx = _variance(shape, "yx", "y", "x", n) * size_y * size_x
    middle, spread = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    large, small = middle + spread, np.maximum(middle - spread, 0)
    return {
        "major_axis_um": 4 * np.sqrt(large),
        "minor_axis_um": 4 * np.sqrt(small),
        "eccentricity": np.sqrt(np.clip(1 - small / np.where(large > 0, large, 1), 0, 1)) * (large > 0),
        "orientation_rad": 0.5 * angle(2 * yx, yy - xx),
    }


def ellipsoid(shape: Int64, spacing_um: tuple[float, float, float]) -> dict[str, Float64]:
    """Longest and shortest axis in micrometres of the ellipsoid with the same second moments; spacing (z, y, x)."""
    n = shape[:, _AT["n"]]
    moments = np.zeros((n.size, 3, 3))
    for i, a in enumerate("zyx"):
        for j, b in enumerate("zyx"[i:], start=i):
            product = _variance(shape, a + b, a, b, n) * spacing_um[i] * spacing_um[j]
            moments[:, i, j] = moments[:, j, i] = product
    spread = np.maximum(eigenvalues(moments), 0)
    return {
        "major_axis_um": 2 * np.sqrt(5 * spread[:, 2]),
        "minor_axis_um": 2 * np.sqrt(5 * spread[:, 0]),
    }


def shape_columns(
    sums: CellSums,
    completed: Completed | None,
    index: pd.Index,
    *,
    affine: Affine,
    z_step_um: float,
    is_volume: bool,
) -> pd.DataFrame:
    """Columns `<measure>_<cell or nucleus>`; a cell without a nucleus has none of the nucleus' measures.

    area_um2 or volume_um3, centroid, axes, eccentricity, orientation, extent, equivalent diameter, and the bounding box
    in pixels, the last pixel not included; in planes also perimeter and solidity, in volumes surface and sphericity
    (the surface of the ball of the same volume as a share of it).
    """
    columns: dict[str, Float64] = {}
    whole = sums.shape.sum(axis=1)
    boxes = np.concatenate([sums.bounds[..., :3].min(axis=1), sums.bounds[..., 3:].max(axis=1)], axis=1)
    for at, part, sums_of, box in (
        (1, "cell", whole, boxes),
        (0, "nucleus", sums.shape[:, 0], sums.bounds[:, 0]),
    ):
        there = sums_of[:, _AT["n"]] > 0
        columns |= {
            f"{name}_{part}": np.where(there, values, np.nan)
            for name, values in _measures(
                np.where(there[:, np.newaxis], sums_of, np.eye(1, sums_of.shape[1], dtype=np.int64)),
                np.where(there[:, np.newaxis], box, 0),
                affine=affine,
                z_step_um=z_step_um,
                is_volume=is_volume,
            ).items()
        }
        if sums.border is not None and is_volume:
            surface = surface_um2(sums.border[:, at], (z_step_um, *affine.pixel_size_um))
            size = np.where(there, columns[f"volume_um3_{part}"], 0.0)
            ball = cube_root(36 * np.pi * size * size)
            columns[f"surface_um2_{part}"] = np.where(there, surface, np.nan)
            columns[f"sphericity_{part}"] = np.where(there, ball / np.where(there, surface, 1.0), np.nan)
        elif sums.border is not None:
            # In pixels the perimeter is scikit-image's; a pixel that is no square counts with its middle size.
            perimeter = _perimeter_px(sums.border[:, at]) * sqrt(affine.pixel_area_um2)
            columns[f"perimeter_um_{part}"] = np.where(there, perimeter, np.nan)
        if completed is not None and completed.convex is not None:
            convex = np.maximum(completed.convex[:, at], 1)
            columns[f"solidity_{part}"] = np.where(there, sums_of[:, _AT["n"]] / convex, np.nan)
    return pd.DataFrame(columns, index=index)


def _perimeter_px(border: Int64) -> Float64:
    """Perimeters from counts of border patterns (cells, kinds). BLAS would add the products in an order of its own."""
    straight, diagonal, mixed = (border[:, k] * weight for k, weight in enumerate(WEIGHTS))
    perimeter: Float64 = straight + diagonal + mixed
    return perimeter


def _measures(
    shape: Int64, box: Int64, *, affine: Affine, z_step_um: float, is_volume: bool
) -> dict[str, npt.NDArray[Any]]:
    n = shape[:, _AT["n"]]
    size = n * affine.pixel_area_um2 * (z_step_um if is_volume else 1.0)
    sides = box[:, 3:] + 1 - box[:, :3]
    axes = "zyx" if is_volume else "yx"
    found: dict[str, npt.NDArray[Any]] = {"volume_um3" if is_volume else "area_um2": size}
    centroid = centroid_um(shape, affine, z_step_um, is_volume=is_volume)
    found |= {f"centroid_{axis}_um": centroid[:, k] for k, axis in enumerate(reversed(axes))}
    if is_volume:
        found |= ellipsoid(shape, (z_step_um, *affine.pixel_size_um))
        found["equivalent_diameter_um"] = cube_root(6 * size / np.pi)
    else:
        found |= ellipse(shape, affine.pixel_size_um)
        found["equivalent_diameter_um"] = np.sqrt(4 * size / np.pi)
    found["extent"] = n / sides.prod(axis=1)
    for end, step in (("min", 0), ("max", 1)):
        for axis in axes:
            found[f"{axis}_{end}_px"] = box[:, BOUNDS.index(f"{axis}_{end}")] + float(step)
    return found


def _variance(shape: Int64, product: str, first: str, second: str, n: Int64) -> Float64:
    """Central second moment over n, from integers: the numerator is exact before the one division.

    n * sum(ab) - sum(a) * sum(b) may pass 64 bits for large cells far from the origin, so it is computed from
    coordinates relative to a pixel near the centroid, whose sums follow exactly from the given ones.
    """
    a0, b0 = shape[:, _AT[first]] // n, shape[:, _AT[second]] // n
    sum_a = shape[:, _AT[first]] - n * a0
    sum_b = shape[:, _AT[second]] - n * b0
    sum_ab = shape[:, _AT[product]] - a0 * shape[:, _AT[second]] - b0 * shape[:, _AT[first]] + n * a0 * b0
    variance: Float64 = (sum_ab - sum_a * sum_b / n) / n
    return variance
