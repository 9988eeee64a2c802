"""Rows with scikit-image and scipy on the whole image in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.clock import own_cpu_s
from bench.data import facts_of, read_image, read_truth, smallest_of
from bench.score import drop_small, f1_score

Labels = npt.NDArray[np.integer]


def otsu_watershed(pixels: npt.NDArray[np.uint16], diameter_px: float) -> Labels:
    """Otsu's threshold of the smoothed image, watershed of the distance to the background."""
    from scipy import ndimage
    from skimage import filters

    smooth = ndimage.gaussian_filter(pixels.astype(np.float32), 1)
    mask = ndimage.binary_fill_holes(smooth > filters.threshold_otsu(smooth))
    return _watershed(mask, diameter_px)


def local_watershed(pixels: npt.NDArray[np.uint16], diameter_px: float) -> Labels:
    """The same with a threshold that follows the surroundings (Gaussian, 51 pixels for nuclei of 16)."""
    from scipy import ndimage
    from skimage import filters, morphology

    smooth = ndimage.gaussian_filter(pixels.astype(np.float32), 1)
    around = filters.threshold_local(smooth, 2 * round(1.6 * diameter_px) + 1)
    mask = morphology.opening((smooth > around) & (smooth > filters.threshold_otsu(smooth) * 0.7))
    return _watershed(mask, diameter_px)


def _watershed(mask: npt.NDArray[np.bool_], diameter_px: float) -> Labels:
    """Watershed of the smoothed distance to the background, from its peaks."""
    from scipy import ndimage
    from skimage import feature, measure, segmentation

    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask).astype(np.float32), 1)
    peaks = feature.peak_local_max(
        distance, min_distance=max(1, round(0.3 * diameter_px)), labels=measure.label(mask)
    )
    markers = np.zeros(mask.shape, dtype=np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    made: Labels = segmentation.watershed(-distance, markers, mask=mask)
    return made


def same_operator(method: Any, pixels: npt.NDArray[np.uint16]) -> Labels:
    """`basins` as far as scipy and scikit-image have its steps.

    Tones, smoothing, box windows, shares, outline, grooves along four directions, clipped distance and its smoothing
    are the same in floating point. The rule for necks, which has no counterpart, is replaced by peaks at least the
    merging distance apart, and steepest ascent by watershed.
    """
    from scipy import ndimage
    from skimage import feature, morphology, segmentation

    from isthmus.segment.tone import tone_table

    p = method.parameters
    tones = tone_table(p.background, p.unit)[pixels].astype(np.float32)
    smooth = _blur(tones, p.smoothing)
    around = sum(ndimage.uniform_filter(tones, 2 * window[1] + 1) for window in p.windows_px) / 3
    signal, surroundings = (smooth - p.tone_background) * 1024, around - p.tone_background
    inside = (smooth > p.tone_floor) & (signal > p.local_share * surroundings)
    mask = _blur(inside.astype(np.float32), p.outline) > 0.5
    fillable = (smooth > p.tone_floor) & (signal > p.hole_share * surroundings)
    closed = morphology.remove_small_holes(mask, max_size=p.hole_px**2)
    mask |= closed & fillable
    depth = _grooves(_blur(tones, p.groove_smoothing), p.groove_half_px, p.groove_offset_px)
    squared = np.minimum(ndimage.distance_transform_edt(mask) ** 2 * 16, p.groove_far)
    cores = mask & (depth**2 * p.groove_near <= p.groove_tones**2 * np.maximum(squared, p.groove_near))
    height = np.minimum(ndimage.distance_transform_edt(cores), np.sqrt(p.distance_limit / 16)).astype(
        np.float32
    )
    height = _blur(height, p.distance_smoothing) * mask
    peaks = feature.peak_local_max(height, min_distance=p.merge_px[1], exclude_border=False)
    markers = np.zeros(mask.shape, dtype=np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    made: Labels = segmentation.watershed(-height, markers, mask=mask)
    return made


def _blur(pixels: npt.NDArray[Any], weights: Any) -> npt.NDArray[Any]:
    from scipy import ndimage

    for axis in (0, 1):
        half = np.array(weights[axis + 1], dtype=np.float64)
        whole = np.concatenate([half[:0:-1], half])
        pixels = ndimage.correlate1d(pixels, whole / whole.sum(), axis=axis, mode="mirror")
    return pixels


def _grooves(pixels: npt.NDArray[Any], half: int, offset: int) -> npt.NDArray[Any]:
    from scipy import ndimage

    deepest = np.zeros(pixels.shape, dtype=np.float32)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        length = half if 0 in (dy, dx) else max(1, round(half * 0.7071))
        step = offset if 0 in (dy, dx) else max(1, round(offset * 0.7071))
        line = np.zeros((2 * length + 1, 2 * length + 1), dtype=np.float32)
        for k in range(-length, length + 1):
            line[length + k * dy, length + k * dx] = 1 / (2 * length + 1)
        if dy == 0:
            means = ndimage.uniform_filter1d(pixels, 2 * length + 1, axis=1, mode="mirror")
        elif dx == 0:
            means = ndimage.uniform_filter1d(pixels, 2 * length + 1, axis=0, mode="mirror")
        else:
            means = ndimage.correlate(pixels, line, mode="mirror")
        sy, sx = dx * step, -dy * step
        sides = ndimage.shift(means, (sy, sx), order=0, mode="mirror")
        sides = (sides + ndimage.shift(means, (-sy, -sx), order=0, mode="mirror")) / 2
        deepest = np.maximum(deepest, sides - means)
    return deepest


def segment_whole(scratch: Path, image: str, how: str) -> dict[str, Any]:
    """One of the segmentations above on the whole image."""
    from bench.ours import make_method

    pixels = read_image(image, 1)[0]
    diameter = 8.0 / facts_of(image)["pixel_size_um"]
    run = {
        "otsu": lambda p: otsu_watershed(p, diameter),
        "local": lambda p: local_watershed(p, diameter),
        "same": lambda p: same_operator(make_method(image), p),
    }[how]
    run(pixels[:128, :128])
    begin = own_cpu_s()
    labels = drop_small(run(pixels), smallest_of(image))
    core = own_cpu_s() - begin
    return {
        "core_cpu_s": core,
        "objects": int(np.unique(labels).size - 1),
        "f1": f1_score(labels, read_truth(image)),
    }
