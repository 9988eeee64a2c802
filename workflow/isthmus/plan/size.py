"""How large a sample is, in the numbers that memory, time and storage go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from isthmus.blocks.grid import Grid, Region, Triple
from isthmus.image.pyramid import level_factors
from isthmus.plan.layout import read_pixels
from isthmus.plan.model import SamplePlan

SPACING_DIAMETERS = 1.5
"""Expected instances: the whole image is tissue, nuclei lie 1.5 diameters apart (6,900 a mm2 at 8 um)."""
_SPACING_IN_CULTURE = 3.0
"""Cells in a dish, of the preset `culture`, are wider than their nuclei (1,700 a mm2 at 8 um)."""

_USUAL_UM = 8.0
_CERTIFIED_PX: Triple = (1, 256, 256)
_CERTIFIED_VOLUME_PX: Triple = (16, 64, 64)
_REACH_PX = 32
_SURVEYED_PX: Triple = (1, 1024, 1024)
_SURVEYED_VOLUME_PX: Triple = (32, 256, 256)
_MOST_SURVEYED = 16
_MILLION, _THOUSAND = 1e6, 1e3


def expected_instances(
    settings: Mapping[str, Any], window: Region, spacing_um: tuple[float, float, float], n_images: int = 1
) -> int:
    """Nuclei that an image full of tissue, or of cells in a dish, would have; what is empty has none."""
    segmentation = settings["segmentation"]
    options = segmentation.get(segmentation["method"]) or segmentation["basins"]
    is_volume = window.shape[0] > 1
    # in depth, cells lie as close as in tissue
    in_dish = options.get("preset") == "culture" and not is_volume
    diameters = _SPACING_IN_CULTURE if in_dish else SPACING_DIAMETERS
    pitch_um = diameters * float(options.get("nucleus_diameter_um") or _USUAL_UM)
    z, y, x = spacing_um
    if is_volume:
        return max(1, round(n_images * window.size * z * y * x / pitch_um**3))
    return max(1, round(n_images * window.size * y * x / pitch_um**2))


@dataclass(frozen=True)
class Size:
    """A sample in numbers: millions of pixels, thousands of cells, millions of transcripts.

    In a table of counts a value above 0 takes the place that an image's table has for a transcript.

    read, bins and grown are what pass 1 reads, the bins of its method in that, and what pass 2 reads, of all blocks
    together; largest_read, largest_bins and largest_grown those of the largest block; halved_mpix is the largest shard
    of level 1.
    """

    is_volume: bool
    channels: int
    measured: int
    blocks: int
    mpix: float
    shard_mpix: float
    halved_mpix: float
    read: float
    bins: float
    grown: float
    largest_read: float
    largest_bins: float
    largest_grown: float
    kcells: float
    mrows: float
    reads_mb: float
    reference_mb: float
    window_mpix: float
    windows: int
    surveyed_mpix: float

    @classmethod
    def of(cls, sample: SamplePlan, settings: Mapping[str, Any], *, n_instances: int | None = None) -> Size:
        """Sizes of a planned sample; n_instances where their number is known."""
        grid, n = sample.grid, sample.n_images
        bin_px = prod(sample.bin_px)
        read, largest_read = read_pixels(grid, sample.halo_px)
        grown, largest_grown = read_pixels(grid, sample.growth_px)
        wanted = settings["quantification"]["channels"]
        window_px = _certified_pixels(sample)
        return cls(
            is_volume=grid.shape[0] > 1,
            channels=sample.shape[0],
            measured=sample.shape[0] if wanted is None else len(wanted),
            blocks=sample.n_blocks,
            mpix=n * prod(grid.shape) / _MILLION,
            shard_mpix=read_pixels(Grid(grid.shape, sample.shard_px), (0, 0, 0))[1] / _MILLION,
            halved_mpix=_halved_pixels(sample) / _MILLION,
            read=n * read / _MILLION,
            bins=n * read / bin_px / _MILLION,
            grown=n * grown / _MILLION,
            largest_read=largest_read / _MILLION,
            largest_bins=largest_read / bin_px / _MILLION,
            largest_grown=largest_grown / _MILLION,
            kcells=(sample.n_instances if n_instances is None else n_instances) / _THOUSAND,
            mrows=(sample.n_transcripts or sample.n_values) / _MILLION,
            reads_mb=sample.reads_mb,
            reference_mb=sample.reference_mb,
            window_mpix=window_px / _MILLION,
            windows=int(settings["execution"]["certificate_windows"]) if grid.n_blocks > 1 else 0,
            surveyed_mpix=_surveyed_pixels(sample, settings) / _MILLION,
        )

    @property
    def largest_kcells(self) -> float:
        """Thousands of cells in a block."""
        return self.kcells / self.blocks


def _certified_pixels(sample: SamplePlan) -> int:
    """Pixels read for a window of the certificate: its own, its surroundings, and twice the border of pass 1."""
    is_volume = sample.grid.shape[0] > 1
    size = _CERTIFIED_VOLUME_PX if is_volume else _CERTIFIED_PX
    read = 1
    for length, halo, growth, whole in zip(
        size, sample.halo_px, sample.growth_px, sample.grid.shape, strict=True
    ):
        around = growth + (halo + halo // 3 if is_volume else 2 * halo + _REACH_PX)
        read *= min(length + 2 * around, whole)
    return read


def _halved_pixels(sample: SamplePlan) -> int:
    """Pixels of the largest shard of level 1; 0 where there is no such level."""
    z, y, x = sample.shard_px
    if len(level_factors(sample.grid.shape, sample.coarsest_px)) == 1:
        return 0
    whole = sample.grid.shape
    return min(z, whole[0]) * min(y, -(-whole[1] // 2)) * min(x, -(-whole[2] // 2))


def _surveyed_pixels(sample: SamplePlan, settings: Mapping[str, Any]) -> int:
    """Pixels in which the size of nuclei is measured, where that is asked for."""
    options = settings["segmentation"]
    if options["method"] != "basins" or not options["basins"].get("measure_diameter"):
        return 0
    shards = Grid(sample.grid.shape, sample.shard_px).n_blocks
    window = _SURVEYED_VOLUME_PX if sample.grid.shape[0] > 1 else _SURVEYED_PX
    in_window = prod(min(length, whole) for length, whole in zip(window, sample.grid.shape, strict=True))
    return min(_MOST_SURVEYED, (shards + 1) // 2) * in_window
