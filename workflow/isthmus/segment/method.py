"""What a segmentation method must offer; adding one means writing one file and naming it in `methods.METHODS`.

A landscape method turns a block with its halo into an integer landscape. Everything after it - following pointers,
joining blocks, numbering - is the same for all methods and exact.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region, Triple
from isthmus.image.survey import ChannelSurvey

Pixels = npt.NDArray[np.uint16]
Landscape = npt.NDArray[np.unsignedinteger]


class LandscapeMethod(Protocol):
    """A picklable object with everything that the method needs in whole numbers.

    channel
        Index of the channel it reads.
    halo_px
        Border (z, y, x) that a block needs so that the landscape of its write region, and of the pixels that its
        pointers may reach, does not depend on where the cut is.
    lattice_px
        Bins (z, y, x) that the method works on, counted from the image's origin; (1, 1, 1) for pixels. Read regions
        begin at multiples of it, and end at multiples or at the image edge.
    merge_radius_px
        Distance (z, y, x) within which a local peak gives way to a higher pixel.
    """

    @property
    def channel(self) -> int: ...

    @property
    def halo_px(self) -> Triple: ...

    @property
    def lattice_px(self) -> Triple: ...

    @property
    def merge_radius_px(self) -> tuple[float, float, float]: ...

    def landscape(self, pixels: Pixels) -> Landscape:
        """Landscape (z, y, x) of a read region; 0 is background. The region's border counts as the image edge."""
        ...


class MakeLandscapeMethod(Protocol):
    """What the file of a method offers as `make_method`."""

    def __call__(
        self,
        options: Any,
        *,
        channel: int,
        survey: ChannelSurvey,
        spacing_um: tuple[float, float, float],
    ) -> LandscapeMethod:
        """The method from its section of the configuration, the channel's survey and the pixel spacing (z, y, x)."""
        ...


def read_region(method: LandscapeMethod, write: Region, image_shape: Triple) -> Region:
    """What a method must read for the landscape of a write region: with halo, in whole bins, cut at the image edge."""
    read = write.grown(method.halo_px, image_shape)
    start = [a // n * n for a, n in zip(read.start, method.lattice_px, strict=True)]
    stop = [
        min(size, -(-b // n) * n)
        for b, n, size in zip(read.stop, method.lattice_px, image_shape, strict=True)
    ]
    return Region((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
