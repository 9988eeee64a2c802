"""Nuclei and cells of a window, computed in one piece: what the blocks must equal, wherever they were cut.

An instance is known by the place of its root, which no cut can change: its identity is the row-major index in the image
of the root pixel, plus 1; 0 is background. Identities of imported labels are the labels. In this order identities rank
like final ids, so that growing under (distance, identity) is growing under (distance, id).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region, Triple
from isthmus.image.ome_zarr import Level
from isthmus.plan.cost import largest_window_read_px
from isthmus.quantify.block import QuantifyJob, grow_cells
from isthmus.quantify.grow import growth_halo_px
from isthmus.segment.block import ImportJob, SegmentJob, read_imported
from isthmus.segment.forest import grow_forest, margin_px
from isthmus.segment.method import read_region

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]

Reason = Literal["read_too_large", "instance_too_large"]

_PLANE_REACH_PX = 32
_LEAST_REACH_PX = 4


class TooLargeError(Exception):
    """A window cannot be computed in one piece of bounded size.

    reason
        Already what surrounds the window is too large, or an instance of the window reaches too far.
    """

    def __init__(self, reason: Reason, read_px: int) -> None:
        super().__init__(f"{reason}: {read_px} pixels")
        self.reason: Reason = reason


@dataclass(frozen=True)
class UncutJob:
    """What the blocks were computed with; of its grids nothing but the image's shape is used.

    min_area_px
        Nuclei with fewer pixels are dropped; does not hold for imported labels.
    first_pixel
        Where the pixels of this image begin among those of all images of the sample, by which roots are counted.
    """

    segment: SegmentJob | ImportJob
    quantify: QuantifyJob
    min_area_px: int
    first_pixel: int = 0

    @property
    def shape(self) -> Triple:
        """Shape of the image (z, y, x)."""
        return self.quantify.grid.shape


def uncut_window(job: UncutJob, window: Region) -> tuple[Int64, Int64]:
    """Identities (z, y, x) of the nuclei and of the cells of a window.

    Raises
    ------
    TooLargeError
        More than `largest_window_read_px` pixels would have to be read.
    """
    options = job.quantify
    halo = growth_halo_px(options.expand_um, options.spacing_um, is_volume=job.shape[0] > 1)
    around = window.grown(halo, job.shape)
    nuclei = uncut_nuclei(job, around)
    identities = np.unique(np.concatenate([np.zeros(1, dtype=np.int64), nuclei.reshape(-1)]))
    numbers = np.searchsorted(identities, nuclei).astype(np.int32)
    cells = grow_cells(options, numbers, around)
    inner = window.within(around)
    return nuclei[inner], identities[cells[inner]]


def uncut_nuclei(job: UncutJob, region: Region) -> Int64:
    """Identities of the nuclei of a region.

    The region is grown until the path of each of its pixels ends inside, and until it is decided whether each of its
    nuclei is large enough.
    """
    if isinstance(job.segment, ImportJob):
        return read_imported(job.segment, region).astype(np.int64)
    first = reach = first_reach_px(job.segment.method.halo_px, is_volume=job.shape[0] > 1)
    while True:
        core = region.grown(reach, job.shape)
        labels, roots = _forest(
            job.segment, core, "read_too_large" if reach == first else "instance_too_large"
        )
        inner = labels[region.within(core)]
        area = np.bincount(labels.reshape(-1), minlength=roots.size + 1)
        if not _undecided(job, labels, roots.size, core, area)[inner].any():
            break
        reach = (2 * reach[0], 2 * reach[1], 2 * reach[2])
    identities = np.zeros(area.size, dtype=np.int64)
    identities[1 : roots.size + 1] = roots + 1
    identities[area < job.min_area_px] = 0
    return identities[inner]


def first_reach_px(halo_px: Triple, *, is_volume: bool) -> Triple:
    """How far around a region (z, y, x) its paths are followed at first.

    In volumes a third of the halo, for that goes with the size of nuclei along each axis.
    """
    if not is_volume:
        return (_PLANE_REACH_PX, _PLANE_REACH_PX, _PLANE_REACH_PX)
    z, y, x = (max(_LEAST_REACH_PX, -(-halo // 3)) for halo in halo_px)
    return (z, y, x)


def _forest(job: SegmentJob, core: Region, reason: Reason) -> tuple[Int32, Int64]:
    """Labels of a region computed in one piece (roots first, then exits), and the places of the roots.

    It is read with twice the halo, in volumes with the halo, for with more most would be too large. A method that
    declares too little sees a cut at the seam, but none here: pixels of a window are farther from the border than the
    halo, in volumes by the first reach.
    """
    shape, method = job.grid.shape, job.method
    is_volume = shape[0] > 1
    around = core if is_volume else core.grown(method.halo_px, shape)
    read = read_region(method, around, shape)
    if read.size > largest_window_read_px(is_volume=is_volume):
        raise TooLargeError(reason, read.size)
    level = Level.open(job.image, is_volume=is_volume, has_channels=True)
    pixels = level.read(read, method.channel).astype(np.uint16, copy=False)
    labels, roots, _ = grow_forest(
        method.landscape(pixels),
        read=read,
        write=core,
        image_shape=shape,
        merge_radius_px=method.merge_radius_px,
    )
    return labels, roots


def _undecided(
    job: UncutJob, labels: Int32, n_roots: int, core: Region, area: Int64
) -> npt.NDArray[np.bool_]:
    """By label: its paths leave the region, or it may go on outside and is not large enough yet."""
    assert isinstance(job.segment, SegmentJob)
    margin = margin_px(job.shape[0] > 1, job.segment.method.merge_radius_px)
    inside = tuple(
        slice(m if a > 0 else 0, max(0, b - a - (m if b < n else 0)))
        for m, a, b, n in zip(margin, core.start, core.stop, job.shape, strict=True)
    )
    rim = np.ones(labels.shape, dtype=bool)
    rim[inside] = False
    undecided = np.zeros(area.size, dtype=bool)
    undecided[labels[rim]] = True
    undecided &= area < job.min_area_px
    undecided[n_roots + 1 :] = True
    undecided[0] = False
    return undecided
