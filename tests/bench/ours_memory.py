"""Both passes on decoded blocks in memory: the code of the jobs, only that arrays stand where stored levels stand.

    python -P -m bench --only memory

Read regions are cut as in a run, halos included. The clock counts blocks with a halo on all sides, as nearly all blocks
of a large image have, and all but the first where there are none; reading, which here is copying, is left
out. Where growth is off, cells are nuclei.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from bench.clock import Phases, own_cpu_s
from bench.data import facts_of, pixels_of, read_image, smallest_of
from bench.figures import MEASURING
from bench.ours import grid_of, make_method, watched
from bench.ours_path import quantify_job

_REPEATS = 2
_LEFT_OUT = ("read and write", "growth", "outlines")
_MEMBRANE, _GROWN_UM = 3, 3.0


@dataclass(frozen=True)
class MemoryLevel:
    """An array (c, z, y, x) in place of a stored level."""

    array: npt.NDArray[Any]
    held: ClassVar[dict[Path, npt.NDArray[Any]]] = {}

    @classmethod
    def open(cls, path: Path, *, is_volume: bool, has_channels: bool, mode: str = "r") -> MemoryLevel:
        """The array that stands for a path."""
        return cls(cls.held[path])

    def read(self, region: Any, channel: int = 0) -> npt.NDArray[Any]:
        """Pixels (z, y, x) of a region, as an array of their own."""
        return np.ascontiguousarray(self.array[channel][region.slices])

    def write(self, region: Any, pixels: npt.NDArray[Any], channel: int = 0) -> None:
        """Keep pixels (z, y, x)."""
        self.array[channel][region.slices] = pixels

    def shard_file(self, region: Any, channel: int = 0) -> Path:
        """There is none."""
        return Path("memory")


def both_passes(
    scratch: Path,
    image: str,
    block_px: int,
    medians: bool = False,
    texture: bool = False,
    grown: str = "",
) -> dict[str, Any]:
    """MPix and cells a CPU second of `basins` with intensity and shape statistics, steady state.

    Parameters
    ----------
    grown
        "" leaves nuclei as they are, `by distance` grows them by 3 um, `along a channel` lets the membrane marker hold
        growth up.

    Returns
    -------
    core_cpu_s, mpix
        CPU seconds of the blocks that count, the least of two runs, and what they write; `read_factor` is how many
        pixels of the nuclear channel were read for each that was written.
    phases
        CPU seconds of the parts of these blocks.
    sums_cpu_s, statistics_cpu_s, objects
        CPU seconds of measuring all blocks and joining what they found (sums alone, and everything), and all cells.
    """
    import isthmus.quantify.block as second
    import isthmus.quantify.warm
    import isthmus.segment.block as first
    import isthmus.segment.warm  # noqa: F401
    from isthmus.packs.memory import keep_freed_memory
    from isthmus.quantify.measure import Measures

    phases = watched(MemoryLevel)
    for module in (first, second):
        module.Level = MemoryLevel  # type: ignore[misc,assignment]
    keep_freed_memory()
    measures = Measures((50.0,) if medians else (), texture)
    grid, work = grid_of(image, block_px), _Passes(scratch, image, block_px, measures, grown)
    counted = counted_blocks(grid)
    runs = [work.run(grid, phases, scratch / f"lookup {number}") for number in range(_REPEATS)]
    best = min(runs, key=lambda run: _spent(_added(run.blocks, counted)))
    parts = _added(best.blocks, counted)
    n_pixels = sum(grid.block(index).write.size for index in counted)
    n_read = sum(work.n_read(grid.block(index).write, grid) for index in counted)
    return {
        "core_cpu_s": _spent(parts),
        "mpix": n_pixels / 1e6,
        "read_factor": n_read / n_pixels,
        "phases": parts,
        "sums_cpu_s": min(run.sums_s for run in runs),
        "statistics_cpu_s": min(run.statistics_s for run in runs),
        "objects": best.n_cells,
    }


@dataclass
class _Run:
    """CPU seconds by part of each block, and of joining what the blocks measured: sums, and the rest."""

    blocks: list[dict[str, float]]
    join_s: tuple[float, float]
    n_cells: int

    @property
    def sums_s(self) -> float:
        """Of sums of intensity and shape in all blocks, joined."""
        return self.join_s[0] + sum(block["statistics"] for block in self.blocks)

    @property
    def statistics_s(self) -> float:
        """Of everything that is measured in all blocks, joined."""
        outer = sum(block.get(part, 0.0) for block in self.blocks for part in MEASURING)
        return self.sums_s + self.join_s[1] + outer


class _Passes:
    """The jobs of both passes on an image in memory."""

    def __init__(self, scratch: Path, image: str, block_px: int, measures: Any, grown: str) -> None:
        from isthmus.quantify.guide import Guide
        from isthmus.segment.block import SegmentJob

        grid, shape = grid_of(image, block_px), (1, 1, *facts_of(image)["shape"])
        self.measures = measures
        self.smallest = smallest_of(image)
        local, nuclei, cells = (scratch / name for name in ("local", "nuclei", "cells"))
        MemoryLevel.held[pixels_of(image)] = read_image(image)[:, np.newaxis]
        for path in (local, nuclei, cells):
            MemoryLevel.held[path] = np.zeros(shape, dtype=np.uint32)
        self.segment = SegmentJob(pixels_of(image), local, grid, make_method(image))
        guide = Guide(_MEMBRANE, "membrane", 1000, dark=300, bright=1500) if "channel" in grown else None
        job = quantify_job(scratch, image, grid, _GROWN_UM if grown else 0.0)
        self.quantify = replace(job, measures=measures, guide=guide)

    def n_read(self, write: Any, grid: Any) -> int:
        """Pixels of the nuclear channel that a block reads."""
        from isthmus.segment.method import read_region

        return int(read_region(self.segment.method, write, grid.shape).size)

    def run(self, grid: Any, phases: Phases, lookup: Path) -> _Run:
        """Both passes over all blocks, and the join."""
        from isthmus.blocks.arrays import arrays_from_bytes
        from isthmus.blocks.lookup import write_lookup
        from isthmus.quantify.block import quantify_block
        from isthmus.segment.block import segment_block
        from isthmus.segment.record import BlockRecord
        from isthmus.segment.stitch import stitch
        from isthmus.tables.complete import complete_cells
        from isthmus.tables.merge import merge_sums

        blocks: list[dict[str, float]] = []
        records = {}
        for index in range(grid.n_blocks):
            with phases.alone() as spent, phases.phase("rest"):
                made = segment_block(self.segment, index).record
            blocks.append(spent)
            records[index] = BlockRecord.from_bytes(made)
        found = stitch(records, grid, min_area_px=self.smallest)
        write_lookup(lookup, found.ids, found.offsets, found.roots)
        job, sums = replace(self.quantify, lookup=lookup), []
        for index in range(grid.n_blocks):
            with phases.alone() as spent, phases.phase("rest"):
                made = quantify_block(job, index).record
            blocks[index] = _added([blocks[index], spent], [0, 1])
            sums.append(made)
        begin = own_cpu_s()
        merged = merge_sums(arrays_from_bytes(one) for one in sums)
        middle = own_cpu_s()
        complete_cells([arrays_from_bytes(one) for one in sums], merged.ids, self.measures)
        return _Run(blocks, (middle - begin, own_cpu_s() - middle), int(merged.ids.size))


def counted_blocks(grid: Any) -> list[int]:
    """Blocks with neighbours on all sides; where there are none, all but the first."""
    inner = [
        index
        for index in range(grid.n_blocks)
        if all(
            grid.block(index).write.start[axis] > 0 and grid.block(index).write.stop[axis] < grid.shape[axis]
            for axis in (1, 2)
        )
    ]
    return inner or list(range(grid.n_blocks))[1:] or [0]


def _added(blocks: list[dict[str, float]], chosen: list[int]) -> dict[str, float]:
    made: dict[str, float] = {}
    for index in chosen:
        for name, seconds in blocks[index].items():
            made[name] = made.get(name, 0.0) + seconds
    return made


def _spent(parts: dict[str, float]) -> float:
    return sum(seconds for name, seconds in parts.items() if name not in _LEFT_OUT)
