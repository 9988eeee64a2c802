"""Haematoxylin and eosin out of colour pixels, in whole numbers, pixel by pixel.

Colour deconvolution of Ruifrok and Johnston (Anal Quant Cytol Histol 23:291-299, 2001), with their vectors for
haematoxylin, eosin and a third stain: optical densities of red, green and blue are a mixture of the stains' vectors,
and the inverse of those tells how much there is of each. Logarithms come from `decimal` and the inverse from fractions,
both rounded to whole numbers once; all that is done with pixels are integer sums, the same in every block and on every
machine. scikit-image's `rgb2hed` is the reference of the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from isthmus.image.source import ImagePart, PixelSource, Window

CHANNELS = ("hematoxylin", "eosin", "density", "red", "green", "blue")
"""Channels of a stained image; density is the mean optical density of the three colours."""

STEPS = 5_000
"""Steps of a unit of optical density (natural logarithms); the darkest colours then still fit 16 bits."""

_VECTORS = (("0.65", "0.70", "0.29"), ("0.07", "0.99", "0.11"), ("0.27", "0.57", "0.78"))
_FIXED = 1 << 14
Int64 = npt.NDArray[np.int64]


def with_stains(image: ImagePart) -> ImagePart:
    """A colour image of 8 bits (red, green, blue) with channels for its stains before the colours."""
    c, z, y, x = image.header.shape
    if c != 3 or image.header.dtype != "uint8":
        raise ValueError("stains are told apart in colour pixels of 8 bits")
    header = replace(image.header, shape=(len(CHANNELS), z, y, x), dtype="uint16", channels=CHANNELS)
    return replace(image, header=header, open=partial(_open, image.open))


def _open(colours: Callable[[], PixelSource]) -> PixelSource:
    return StainSource(colours())


class StainSource:
    """Pixels of CHANNELS from a source of red, green and blue."""

    def __init__(self, colours: PixelSource) -> None:
        self._colours = colours

    def read(self, channel: int, window: Window) -> npt.NDArray[np.generic]:
        """Pixels (z, y, x) of one channel, uint16."""
        name = CHANNELS[channel]
        if name in ("red", "green", "blue"):
            return self._colours.read(CHANNELS.index(name) - 3, window).astype(np.uint16)
        densities = density_table()
        red, green, blue = (densities[self._colours.read(c, window)] for c in range(3))
        if name == "density":
            mean: npt.NDArray[np.uint16] = np.minimum((red + green + blue + 1) // 3, 65535).astype(np.uint16)
            return mean
        a, b, c = unmixing()[CHANNELS.index(name)]
        mixed = (a * red + b * green + c * blue + _FIXED // 2) // _FIXED
        amount: npt.NDArray[np.uint16] = np.clip(mixed, 0, 65535).astype(np.uint16)
        return amount


@lru_cache(maxsize=1)
def density_table() -> Int64:
    """Value 0 to 255 -> optical density -ln(value / 255) in STEPS; 0 counts as 1."""
    with localcontext() as context:
        context.prec = 30
        made = [int((-(Decimal(max(v, 1)) / 255).ln() * STEPS).to_integral_value()) for v in range(256)]
    return np.array(made, dtype=np.int64)


@lru_cache(maxsize=1)
def unmixing() -> tuple[tuple[int, int, int], ...]:
    """How much red, green and blue count for haematoxylin, eosin and the third stain, in parts of _FIXED."""
    (a, b, c), (d, e, f), (g, h, i) = (tuple(Fraction(v) for v in row) for row in _VECTORS)
    whole = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    inverse = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    columns = tuple(zip(*inverse, strict=True))
    made = tuple(tuple(round(value / whole * _FIXED) for value in column) for column in columns)
    return tuple((column[0], column[1], column[2]) for column in made)
