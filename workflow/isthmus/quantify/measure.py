"""Everything that is measured in the instances of one block, as a record that build_table joins with the others'.

What adds up is summed. What does not (percentiles, entropy, convex hulls) is finished here for instances that lie in
this block alone; of all others the record holds what it follows from: histograms of values, and the first and last
pixel of every line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.blocks.grid import Region, Triple
from isthmus.quantify import perimeter, surface, texture
from isthmus.quantify.groups import Groups, group_spans
from isthmus.quantify.hull import convex_areas, find_extents
from isthmus.quantify.ranks import select_ranks
from isthmus.quantify.spans import Spans, find_spans
from isthmus.quantify.sums import add_channel, add_geometry, empty_sums
from isthmus.quantify.values import MILLI_OF_ALL, count_values, entropies, order_statistics, sort_segments

UInt16 = npt.NDArray[np.uint16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.unsignedinteger[Any]]
Record = dict[str, npt.NDArray[Any]]


_MOST_SELECTED = 5
"""More percentiles than these are read off sorted values: that takes less time."""


@dataclass(frozen=True)
class Measures:
    """What is measured besides sums and shape: percentiles (0 to 100, whole thousandths), and texture."""

    percentiles: tuple[float, ...] = (50.0,)
    texture: bool = False

    @property
    def milli(self) -> Int64:
        """The percentiles in thousandths of a per cent."""
        return np.array([round(q * MILLI_OF_ALL / 100) for q in self.percentiles], dtype=np.int64)

    @property
    def needs_values(self) -> bool:
        """Whether values are sorted or counted at all."""
        return bool(self.percentiles) or self.texture


MEDIANS = Measures()
"""What is measured where nothing is said."""


@dataclass(frozen=True)
class Instances:
    """The instances around a block.

    nuclei, cells
        Numbers (z, y, x) of the read region, 0 = background; number k has the id ids[k - 1].
    alone
        Whether a nucleus lies in this block only.
    read, write
        The regions; `read` holds at least `margin_px` and the growth beyond `write`, except at the image's edge.
    """

    nuclei: Int32
    cells: Int32
    ids: Int64
    alone: Bool
    read: Region
    write: Region
    image_shape: Triple

    @property
    def is_volume(self) -> bool:
        """Whether there is more than one plane."""
        return self.image_shape[0] > 1

    @cached_property
    def own(self) -> tuple[Int32, Int32]:
        """Cells and nuclei of the write region, C-contiguous."""
        cells, nuclei, _ = self.around((0, 0, 0))
        return np.ascontiguousarray(cells), np.ascontiguousarray(nuclei)

    @cached_property
    def spans(self) -> Spans:
        """The spans of the write region."""
        return find_spans(*self.own)

    @cached_property
    def by_number(self) -> tuple[Int32, Int64]:
        """Order of the spans by instance, and where each instance begins in it."""
        return self.spans.by_instance(self.ids.size)

    def around(self, margin: Triple) -> tuple[Int32, Int32, tuple[slice, slice, slice]]:
        """Cells and nuclei of the write region with a margin, and where the write region lies in them."""
        region = self.write.grown(margin, self.image_shape)
        part = region.within(self.read)
        return self.cells[part], self.nuclei[part], self.write.within(region)

    def complete(self) -> Bool:
        """Which instances lie in this block alone: no nucleus elsewhere, and no pixel grown beyond the block.

        Beyond the write region cells may be too large, never too small: the read region holds every nucleus pixel
        of the block, and what else would take a pixel from them may be missing.
        """
        outside = np.zeros(self.ids.size + 1, dtype=bool)
        for axis in range(3):
            before = self.write.start[axis] - self.read.start[axis]
            after = self.write.stop[axis] - self.read.start[axis]
            for part in (slice(0, before), slice(after, None)):
                outside[self.cells[(slice(None),) * axis + (part,)].reshape(-1)] = True
        return self.alone & ~outside[1:]


def margin_px(is_volume: bool) -> Triple:
    """Labels needed around a block by perimeters and texture."""
    return (texture.MARGIN_PX if is_volume else 0, perimeter.MARGIN_PX, perimeter.MARGIN_PX)


def image_margin_px(is_volume: bool, measures: Measures) -> Triple:
    """Pixels of the image needed around a block."""
    beside = texture.MARGIN_PX if measures.texture else 0
    return (beside if is_volume else 0, beside, beside)


def measure(instances: Instances, channels: Iterable[Pixels], n_channels: int, measures: Measures) -> Record:
    """Measure the instances of a block.

    Parameters
    ----------
    channels
        Pixels (z, y, x) of each channel, of 8 or 16 bits, with `image_margin_px` around the write region except at
        the image's edge.

    Returns
    -------
    The record: of the instances with pixels in the write region, sorted by id,

    ids, shape, bounds, flags, intensity, extremes
        See quantify.sums.
    complete
        (instances,): whether the instance lies in this block alone.
    border
        (instances, 2, 3): border pixels of nucleus and cell by kind; in volumes (instances, 2, 13): exits of lines.
    convex
        (instances, 2): pixels in the hulls of nucleus and cell of complete instances; planes only.
    extent_sizes, extent_line, extent_first, extent_last
        (others, 2), and one segment after the other: extents of nucleus and cell of the others in pixels of the
        image; planes only.
    ranks, entropy
        (instances, channels, 3, percentiles, 2) and (instances, channels, 3): of complete instances, see
        quantify.values.
    value_sizes, value, value_count
        (others, channels, 2), and histograms of nucleus and cytoplasm of the others: channel by channel, and in a
        channel one segment after the other.
    pairs
        (instances, channels, 3, 5): see quantify.texture.
    """
    n = instances.ids.size
    spans, (_, first) = instances.spans, instances.by_number
    present = np.diff(first) > 0
    complete = instances.complete()
    others = np.flatnonzero(present & ~complete)
    sums = empty_sums(n, n_channels)
    add_geometry(sums, spans, write=instances.write, image_shape=instances.image_shape)
    record: Record = {"ids": instances.ids[present], "complete": complete[present]}
    if not instances.is_volume:
        record |= _outer_shape(instances, present, complete, others)
    else:
        record["border"] = _exits(instances)[present]
    groups = group_spans(spans, n, instances.write.shape[2])
    pairs = _neighbour_pairs(instances) if measures.texture else None
    inner = instances.write.within(
        instances.write.grown(image_margin_px(instances.is_volume, measures), instances.image_shape)
    )
    values: list[Record] = []
    for channel, pixels in enumerate(channels):
        own = np.ascontiguousarray(pixels[inner])
        grouped = groups.values(own)
        add_channel(sums, channel, grouped, groups.offsets)
        made: Record = {}
        if measures.needs_values:
            made |= _from_values(grouped, groups, present, complete, measures)
        if pairs is not None:
            made["pairs"] = pairs.add(pixels, n)[present]
        values.append(made)
    for name in ("shape", "bounds", "flags", "intensity", "extremes"):
        record[name] = getattr(sums, name)[present]
    return record | _channels_joined(values)


def _outer_shape(instances: Instances, present: Bool, complete: Bool, others: Int64) -> Record:
    """Perimeter and convex hull, or what they follow from; planes only."""
    n = instances.ids.size
    cells, nuclei, inner = instances.around(margin_px(instances.is_volume))
    kinds = [perimeter.border_kinds(labels[0], inner[1:], n) for labels in (nuclei, cells)]
    extents = find_extents(instances.spans, *instances.by_number)
    convex = convex_areas(extents).reshape(n, 2)
    convex[~complete] = 0
    sizes = np.diff(extents.offsets).reshape(n, 2)
    chosen = np.repeat((present & ~complete), sizes.sum(axis=1))
    start = instances.write.start
    return {
        "border": np.stack(kinds, axis=1)[present],
        "convex": convex[present],
        "extent_sizes": sizes[others],
        "extent_line": extents.line[chosen] + start[1],
        "extent_first": extents.first[chosen] + start[2],
        "extent_last": extents.last[chosen] + start[2],
    }


def _exits(instances: Instances) -> Int32:
    """Where lines leave nucleus and cell (instances, 2, 13); volumes only."""
    cells, nuclei, inner = instances.around((surface.MARGIN_PX,) * 3)
    n = instances.ids.size
    return np.stack([surface.count_exits(labels, inner, n) for labels in (nuclei, cells)], axis=1)


def _neighbour_pairs(instances: Instances) -> texture.NeighbourPairs:
    beside = texture.MARGIN_PX
    cells, nuclei, inner = instances.around((beside if instances.is_volume else 0, beside, beside))
    return texture.NeighbourPairs(cells, nuclei, inner, instances.spans, is_volume=instances.is_volume)


def _from_values(values: UInt16, groups: Groups, present: Bool, complete: Bool, measures: Measures) -> Record:
    """Percentiles and entropy of one channel, or the histograms that they follow from; values become sorted."""
    offsets, milli = groups.offsets, measures.milli
    sorts_all = measures.texture or milli.size > _MOST_SELECTED
    if not sorts_all:
        ranks = select_ranks(values, offsets, milli, complete)
    sort_segments(values, offsets, present if sorts_all else present & ~complete)
    if sorts_all:
        ranks = order_statistics(values, offsets, milli)
        ranks[~complete] = 0
    sizes, value, count = count_values(values, offsets, np.flatnonzero(present & ~complete))
    made: Record = {"ranks": ranks[present], "value_sizes": sizes, "value": value, "value_count": count}
    if measures.texture:
        entropy = entropies(values, offsets)
        entropy[~complete] = 0
        made["entropy"] = entropy[present]
    return made


def _channels_joined(channels: list[Record]) -> Record:
    """Records of single channels as one; what has a length of its own in every channel stands channel by channel."""
    if not channels:
        return {}
    flat = ("value", "value_count")
    return {
        name: np.concatenate([made[name] for made in channels])
        if name in flat
        else np.stack([made[name] for made in channels], axis=1)
        for name in channels[0]
    }
