"""Random numbers and smooth fields that are the same on every machine.

Only sums, products, quotients and roots of doubles are used, which IEEE 754 rounds in one way; sines, exponentials
and library generators may differ in the last bit between machines or versions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
_HEMATOXYLIN, _EOSIN = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11)


def uniform(seed: int, *coordinates: npt.ArrayLike) -> Float64:
    """Numbers in [0, 1) from whole coordinates, by the mixing function of splitmix64, doi:10.1145/2714064.2660195."""
    shape = np.broadcast_shapes(*(np.shape(c) for c in coordinates))
    state = np.full(shape, seed & 0xFFFFFFFFFFFFFFFF, dtype=np.uint64)
    with np.errstate(over="ignore"):  # remainders of 2^64 are meant; numpy warns of them for single numbers
        for coordinate in coordinates:
            step = np.asarray(coordinate, dtype=np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            state = state + step
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def normal(seed: int, *coordinates: npt.ArrayLike) -> Float64:
    """Numbers of mean 0 and standard deviation 1, nearly normal: sums of four even draws."""
    total = sum((uniform(seed + 7919 * k, *coordinates) for k in range(1, 4)), uniform(seed, *coordinates))
    made: Float64 = (total - 2.0) * 3.0**0.5
    return made


def smooth_field(seed: int, shape: tuple[int, int], pitch: int) -> Float64:
    """A smooth random field (y, x) in [0, 1): drawn on a lattice of that pitch, eased lines between."""
    y, x = np.arange(shape[0])[:, np.newaxis], np.arange(shape[1])[np.newaxis]
    i, j = y // pitch, x // pitch
    down, right = (_eased((place % pitch) / pitch) for place in (y, x))
    above = uniform(seed, i, j) * (1 - right) + uniform(seed, i, j + 1) * right
    below = uniform(seed, i + 1, j) * (1 - right) + uniform(seed, i + 1, j + 1) * right
    made: Float64 = above * (1 - down) + below * down
    return made


def blur(image: Float64, times: int = 1) -> Float64:
    """An image (y, x) under the binomial filter 1 4 6 4 1 in both directions; edges are repeated."""
    for _ in range(times):
        for axis in (0, 1):
            pad = [(2, 2) if a == axis else (0, 0) for a in (0, 1)]
            wide = np.pad(image, pad, mode="edge")
            n = image.shape[axis]
            parts = [np.take(wide, np.arange(k, k + n), axis=axis) for k in range(5)]
            image = (parts[0] + parts[4] + 4.0 * (parts[1] + parts[3]) + 6.0 * parts[2]) / 16.0
    return image


def hematoxylin_eosin(hematoxylin: Float64, eosin: Float64, noise: Float64) -> npt.NDArray[np.uint8]:
    """Red, green and blue (y, x, 3) of a section with these optical densities (y, x) of its stains."""
    colours = [
        _transmitted(hematoxylin * h + eosin * e) + 6.0 * noise
        for h, e in zip(_HEMATOXYLIN, _EOSIN, strict=True)
    ]
    return np.clip(np.floor(np.stack(colours, axis=-1) + 0.5), 0, 255).astype(np.uint8)


def _transmitted(density: Float64) -> Float64:
    """255 exp(-density) by the limit of products: no library of functions, the same bits everywhere."""
    value: Float64 = 1.0 - density / 256.0
    for _ in range(8):
        value = value * value
    return 255.0 * value


def _eased(t: Float64) -> Float64:
    eased: Float64 = t * t * (3.0 - 2.0 * t)
    return eased
