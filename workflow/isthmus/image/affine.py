"""Pixel coordinates to micrometres and back."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Affine:
    """The map from pixels to micrometres of one sample.

    x_um = a * column + b * row + c and y_um = d * column + e * row + f, where pixel i covers [i, i + 1): the
    centre of the upper left pixel is at column 0.5, row 0.5.
    """

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    @classmethod
    def from_size(cls, pixel_size_um: float, origin_x_um: float = 0.0, origin_y_um: float = 0.0) -> Affine:
        """An axis-aligned map; the origin is the outer corner of the upper left pixel."""
        return cls(pixel_size_um, 0.0, origin_x_um, 0.0, pixel_size_um, origin_y_um)

    @property
    def pixel_size_um(self) -> tuple[float, float]:
        """Lengths of one step along a row's columns (x) and along the rows (y), in micrometres: (y, x)."""
        # Products, sums and roots are correctly rounded everywhere; hypot is the platform's own.
        return sqrt(self.b * self.b + self.e * self.e), sqrt(self.a * self.a + self.d * self.d)

    @property
    def pixel_area_um2(self) -> float:
        """Area of one pixel."""
        return abs(self.a * self.e - self.b * self.d)

    def to_um(self, column: Float64, row: Float64) -> tuple[Float64, Float64]:
        """Micrometres (x, y) of continuous pixel coordinates."""
        return self.a * column + self.b * row + self.c, self.d * column + self.e * row + self.f

    def to_px(self, x_um: Float64, y_um: Float64) -> tuple[Float64, Float64]:
        """Continuous pixel coordinates (column, row) of micrometres."""
        det = self.a * self.e - self.b * self.d
        x, y = x_um - self.c, y_um - self.f
        return (self.e * x - self.b * y) / det, (self.a * y - self.d * x) / det

    def shifted(self, row: int, column: int) -> Affine:
        """The map of a window whose upper left pixel is (row, column) of this image."""
        return Affine(
            self.a,
            self.b,
            self.a * column + self.b * row + self.c,
            self.d,
            self.e,
            self.d * column + self.e * row + self.f,
        )

    def numbers(self) -> tuple[float, float, float, float, float, float]:
        """The six numbers a, b, c, d, e, f."""
        return (self.a, self.b, self.c, self.d, self.e, self.f)
