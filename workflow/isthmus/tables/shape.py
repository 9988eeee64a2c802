"""Shape of cells from exact sums: position, area, and the ellipse with the same second moments.

Definitions are those of scikit-image's regionprops, where a pixel counts as a point at its centre.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isthmus.image.affine import Affine
from isthmus.quantify.sums import SHAPE_SUMS

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
    yy = _variance(shape, "yy", "y", "y", n) * size_y**2
    xx = _variance(shape, "xx", "x", "x", n) * size_x**2
    yx = _variance(shape, "yx", "y", "x", n) * size_y * size_x
    middle, spread = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    large, small = middle + spread, np.maximum(middle - spread, 0)
    return {
        "major_axis_um": 4 * np.sqrt(large),
        "minor_axis_um": 4 * np.sqrt(small),
        "eccentricity": np.sqrt(np.clip(1 - small / np.where(large > 0, large, 1), 0, 1)) * (large > 0),
        "orientation_rad": 0.5 * np.arctan2(2 * yx, yy - xx),
    }


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
