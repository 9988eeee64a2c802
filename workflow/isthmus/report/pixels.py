"""Pixels to pictures: tone mapping, composites, outlines, and PNG as data addresses."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from isthmus.blocks.grid import Region
from isthmus.config.panel import SUM
from isthmus.image.ome_zarr import Level
from isthmus.image.pyramid import level_factors
from isthmus.report.colours import CHANNEL_COLOURS, rgb
from isthmus.report.gather import SampleResults
from isthmus.report.windows import middle_plane

UInt8 = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.generic]

LOW, HIGH = "1", "99.9"
"""Percentiles of level 0 that become black and full brightness."""
GAMMA = 0.6
COLOURS = ("red", "green", "blue")
"""Channels of a brightfield picture."""
MAX_CHANNELS = len(CHANNEL_COLOURS)


def coarse_region(sample: SampleResults, level: int) -> Region:
    """All of the middle plane at a level."""
    shape = sample.plan.window.shape
    factor = level_factors(shape)[level]
    plane = middle_plane(shape)
    return Region((plane, 0, 0), (plane + 1, -(-shape[1] // factor[1]), -(-shape[2] // factor[2])))


def level_for(sample: SampleResults, max_px: int) -> int:
    """The finest level whose longer side has at most `max_px` pixels, else the coarsest there is."""
    for level in range(sample.n_levels):
        if max(coarse_region(sample, level).shape[1:]) <= max_px:
            return level
    return sample.n_levels - 1


def read_labels(sample: SampleResults, name: str, level: int, region: Region) -> Labels:
    """Label values (y, x) of a plane."""
    path = sample.paths.labels / name / str(level)
    is_volume = sample.plan.window.shape[0] > 1
    plane: Labels = Level.open(path, is_volume=is_volume, has_channels=False).read(region)[0]
    return plane


def shown_channels(sample: SampleResults, first: int) -> list[int]:
    """Channels of a composite: the one that shows the nuclei, then the others in their order.

    Channels that the first one is the sum of would only show the same again. A brightfield picture is shown as it is.
    """
    names = sample.plan.channels
    if set(COLOURS) <= set(names):
        return [names.index(name) for name in COLOURS]
    shown = {names[first], *names[first].split(SUM)}
    others = [channel for channel, name in enumerate(names) if name not in shown]
    return [first, *others][:MAX_CHANNELS]


def read_picture(sample: SampleResults, channels: Sequence[int], level: int, region: Region) -> UInt8:
    """A plane tone-mapped for the eye: (y, x) grey for one channel, (y, x, 3) for more."""
    is_volume = sample.plan.window.shape[0] > 1
    source = Level.open(sample.paths.image / str(level), is_volume=is_volume, has_channels=True)
    planes = [
        tone_mapped(source.read(region, channel)[0], *display_range(sample, channel)) for channel in channels
    ]
    if len(planes) == 1:
        return np.round(planes[0] * 255).astype(np.uint8)
    if tuple(sample.plan.channels[channel] for channel in channels) == COLOURS:
        seen = [np.minimum(source.read(region, channel)[0].astype(np.uint16), 255) for channel in channels]
        return np.stack(seen, axis=-1).astype(np.uint8)
    total = np.zeros((*planes[0].shape, 3))
    for plane, colour in zip(planes, CHANNEL_COLOURS, strict=False):
        total += plane[..., None] * np.array(colour)
    return np.round(np.clip(total, 0, 255)).astype(np.uint8)


def display_range(sample: SampleResults, channel: int) -> tuple[float, float]:
    """Values of level 0 that are shown black and at full brightness."""
    survey: Mapping[str, Any] = (sample.survey or {}).get(sample.plan.channels[channel], {})
    percentiles = survey.get("percentiles", {})
    low = float(percentiles.get(LOW, 0))
    return low, max(float(percentiles.get(HIGH, 65535)), low + 1)


def tone_mapped(plane: npt.NDArray[np.generic], low: float, high: float) -> npt.NDArray[np.float64]:
    """Values between low and high to 0 to 1, dark ones lifted by a power."""
    share: npt.NDArray[np.float64] = np.clip((plane.astype(np.float64) - low) / (high - low), 0, 1) ** GAMMA
    return share


def edges_of(labels: Labels) -> npt.NDArray[np.bool_]:
    """Pixels (y, x) of an instance that have another value to their left, right, above or below."""
    edge = np.zeros(labels.shape, dtype=bool)
    down = labels[1:] != labels[:-1]
    right = labels[:, 1:] != labels[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    inside: npt.NDArray[np.bool_] = edge & (labels != 0)
    return inside


def outline_path(labels: Labels) -> str:
    """SVG path along the pixel edges between instances, in pixels of the window.

    Follows the label image exactly; an edge that two instances share is drawn once.
    """
    padded = np.pad(labels, 1)
    across = padded[1:, 1:-1] != padded[:-1, 1:-1]
    along = padded[1:-1, 1:] != padded[1:-1, :-1]
    # The window's own border is no outline.
    across[[0, -1]] = False
    along[:, [0, -1]] = False
    parts = [f"M{x} {y}h{n}" for y, x, n in _runs(across)]
    parts += [f"M{x} {y}v{n}" for x, y, n in _runs(along.T)]
    return "".join(parts)


def _runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Runs of True along rows: (row, first column, length)."""
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    change = np.diff(padded, axis=1)
    rows, starts = np.nonzero(change == 1)
    stops = np.nonzero(change == -1)[1]
    return list(zip(rows.tolist(), starts.tolist(), (stops - starts).tolist(), strict=True))


def painted(values: npt.NDArray[np.integer[Any]], colours: Sequence[str]) -> str:
    """PNG of small integers (y, x): 0 is transparent, 1 the first colour, and so on."""
    image = Image.fromarray(values.astype(np.uint8))
    flat = [0, 0, 0, *(part for colour in colours for part in rgb(colour))]
    image.putpalette(flat)
    return _address(image, transparency=0)


def picture(pixels: UInt8) -> str:
    """Grey (y, x) as PNG; colour (y, x, 3) as JPEG of high quality, a tenth of the size for noisy microscopy."""
    if pixels.ndim == 2:
        return png(pixels)
    buffer = io.BytesIO()
    # Not optimised: then Pillow writes in one piece of a byte a pixel, and noise needs more.
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def png(pixels: UInt8) -> str:
    """PNG of grey (y, x) or colour (y, x, 3 or 4)."""
    return _address(Image.fromarray(pixels))


def _address(image: Image.Image, **options: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True, **options)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
