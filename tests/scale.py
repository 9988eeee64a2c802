"""Both passes over generated tissue of any size, as packs of blocks in worker processes, against the whole image.

    python tests/scale.py --side 16384 --blocks 1024 4096 --oracle

prints a row a block size: CPU seconds of pass 1, stitching and pass 2, the largest worker, and the pixels that differ
from the first row; with --oracle also from the whole image at once. It needs `workflow` on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt
from block_store import assert_same_sums, empty_labels, quantify_job, store_image
from tissue import PIXEL_SIZE_UM, GeneratedTissue
from whole_image import whole_labels

from isthmus.blocks.arrays import arrays_from_bytes
from isthmus.blocks.grid import Grid, Region, Triple, pack_blocks
from isthmus.blocks.lookup import write_lookup
from isthmus.image.ome_zarr import Level, create_level
from isthmus.image.survey import ChannelSurvey
from isthmus.packs.journal import Entry, Journal
from isthmus.packs.runner import run_pack
from isthmus.quantify.block import quantify_block
from isthmus.segment.basins import BasinsMethod, BasinsSettings, derive_parameters
from isthmus.segment.block import LOCAL_DTYPE, SegmentJob, segment_block
from isthmus.segment.record import BlockRecord
from isthmus.segment.stitch import Lookup, label_dtype, stitch
from isthmus.tables.merge import CellSums, merge_sums

MIN_AREA_PX = 20
EXPAND_UM = 3.0
SPACING_UM = (1.0, PIXEL_SIZE_UM, PIXEL_SIZE_UM)
_STRIP_PX = 1024


@dataclass(frozen=True)
class Stored:
    """An image on disk, and the method with its parameters from the image's histogram."""

    path: Path
    shape: Triple
    method: BasinsMethod
    spacing_um: tuple[float, float, float] = SPACING_UM


@dataclass(frozen=True)
class Cut:
    """What both passes left of one way to cut an image: label images on disk, sums, and what it cost."""

    nuclei: Path
    cells: Path
    lookup: Lookup
    sums: CellSums
    cpu_s: dict[str, float]
    max_rss_mb: float


def store_tissue(folder: Path, side: int, tissue: GeneratedTissue) -> Stored:
    """Write one channel of square tissue, strip by strip."""
    shape = (1, side, side)
    shard = (1, min(_STRIP_PX, side), min(_STRIP_PX, side))
    chunk = (1, min(256, side), min(256, side))
    if any(s % c for s, c in zip(shard, chunk, strict=True)):
        chunk = shard
    level = create_level(
        folder / "image", shape=shape, dtype=np.dtype(np.uint16), chunk=chunk, shard=shard, n_channels=1
    )
    histogram = np.zeros(65_536, dtype=np.int64)
    grid = Grid(shape, shard)
    for index in range(grid.n_blocks):
        region = grid.block(index).write
        pixels = tissue.pixels(region)
        histogram += np.bincount(pixels.reshape(-1), minlength=65_536)
        level.write(region, pixels)
    parameters = derive_parameters(
        BasinsSettings(), pixel_size_um=SPACING_UM, survey=ChannelSurvey(histogram)
    )
    return Stored(folder / "image", shape, BasinsMethod(channel=0, parameters=parameters))


def store_volume(
    folder: Path, pixels: npt.NDArray[np.uint16], spacing_um: tuple[float, float, float], diameter_um: float
) -> Stored:
    """Write a volume (z, y, x)."""
    folder.mkdir(exist_ok=True)
    store_image(folder / "image", pixels[np.newaxis])
    survey = ChannelSurvey(np.bincount(pixels.reshape(-1), minlength=65_536))
    parameters = derive_parameters(
        BasinsSettings(nucleus_diameter_um=diameter_um), pixel_size_um=spacing_um, survey=survey
    )
    shape = pixels.shape[0], pixels.shape[1], pixels.shape[2]
    return Stored(folder / "image", shape, BasinsMethod(channel=0, parameters=parameters), spacing_um)


def whole_nuclei(stored: Stored) -> npt.NDArray[np.uint32]:
    """Final nuclei by the oracle: landscape and instances of the whole image at once."""
    level = Level.open(stored.path, is_volume=stored.shape[0] > 1, has_channels=True)
    pixels = level.read(Region((0, 0, 0), stored.shape)).astype(np.uint16, copy=False)
    labels, _ = whole_labels(
        stored.method.landscape(pixels),
        radius_px=stored.method.merge_radius_px,
        min_area_px=MIN_AREA_PX,
    )
    return labels


def run_cut(folder: Path, stored: Stored, block_px: Triple, *, workers: int, packs: int, seed: int) -> Cut:
    """Segment, stitch and quantify in blocks of this size: packs in any order, blocks of a pack in any order."""
    grid = Grid(stored.shape, block_px)
    empty_labels(folder / "local", grid, LOCAL_DTYPE)
    segment = SegmentJob(stored.path, folder / "local", grid, stored.method)
    options = {"grid": grid, "workers": workers, "packs": packs, "seed": seed}
    first = _run_packs(folder / "segment", partial(segment_block, segment), "isthmus.segment.warm", **options)
    began = time.process_time()
    records = {block: BlockRecord.from_bytes(record) for block, (record, _) in first.items()}
    lookup = stitch(records, grid, min_area_px=MIN_AREA_PX)
    write_lookup(folder / "lookup", lookup.ids, lookup.offsets, lookup.roots)
    stitch_s = time.process_time() - began
    for name in ("nuclei", "cells"):
        empty_labels(folder / name, grid, label_dtype(lookup.max_id))
    quantify = quantify_job(
        folder, grid, image=stored.path, expand_um=EXPAND_UM, spacing_um=stored.spacing_um
    )
    second = _run_packs(
        folder / "quantify", partial(quantify_block, quantify), "isthmus.quantify.warm", **options
    )
    entries = [entry for done in (first, second) for _, entry in done.values()]
    return Cut(
        nuclei=folder / "nuclei",
        cells=folder / "cells",
        lookup=lookup,
        sums=merge_sums([arrays_from_bytes(record) for record, _ in second.values()]),
        cpu_s={
            "segment": sum(entry.cpu_s for _, entry in first.values()),
            "stitch": stitch_s,
            "quantify": sum(entry.cpu_s for _, entry in second.values()),
        },
        max_rss_mb=max(entry.max_rss_mb for entry in entries),
    )


def count_differing(path: Path, wanted: npt.NDArray[np.integer] | Path, shape: Triple) -> int:
    """Pixels in which a label image on disk differs from an array or from another on disk; strip by strip."""
    differing = 0
    for top in range(0, shape[1], _STRIP_PX):
        strip = Region((0, top, 0), (shape[0], min(shape[1], top + _STRIP_PX), shape[2]))
        expected = _read(wanted, strip) if isinstance(wanted, Path) else wanted[strip.slices]
        differing += int(np.count_nonzero(_read(path, strip) != expected))
    return differing


def _read(labels: Path, region: Region) -> npt.NDArray[np.generic]:
    return Level.open(labels, is_volume=region.shape[0] > 1, has_channels=False).read(region)


def _run_packs(
    folder: Path, compute: partial, warm: str, *, grid: Grid, workers: int, packs: int, seed: int
) -> dict[int, tuple[bytes, Entry]]:
    """Records and journal entries of all blocks, each pack through the machinery that jobs use."""
    random, journal = Random(seed), Journal(folder, folder.parent)
    cut = pack_blocks(range(grid.n_blocks), min(packs, grid.n_blocks))
    random.shuffle(cut)
    entries: dict[int, Entry] = {}
    for number, blocks in enumerate(cut):
        random.shuffle(blocks)
        summary = run_pack(
            compute,
            blocks,
            digest="scale",
            journal=journal,
            writer=f"{number}",
            workers=workers,
            preload=(warm,),
        )
        entries |= summary.entries
    return {block: (journal.record(entry), entry) for block, entry in entries.items()}


def main(words: Sequence[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--blocks", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--packs", type=int, default=3)
    parser.add_argument("--oracle", action="store_true")
    parser.add_argument("--folder", type=Path, default=None, help="where to work; deleted in the end")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        stored = store_tissue(folder, given.side, GeneratedTissue())
        _say("block  segment  stitch  quantify CPU s  worker MB  instances  nuclei  cells  sums equal")
        cuts: list[Cut] = []
        for number, block_px in enumerate(given.blocks):
            place, block = folder / str(block_px), (1, block_px, block_px)
            cuts.append(run_cut(place, stored, block, workers=given.workers, packs=given.packs, seed=number))
            _say(_row(block_px, cuts[-1], cuts[0], stored.shape))
        if given.oracle:
            began = time.process_time()
            labels = whole_nuclei(stored)
            differing = [count_differing(cut.nuclei, labels, stored.shape) for cut in cuts]
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            _say(
                f"oracle {time.process_time() - began:.1f} CPU s, {peak_mb:.0f} MB: nuclei differ {differing}"
            )
    return 0


def _row(block_px: int, cut: Cut, first: Cut, shape: Triple) -> str:
    seconds = "".join(f"{cut.cpu_s[step]:9.2f}" for step in ("segment", "stitch", "quantify"))
    pairs = ((cut.nuclei, first.nuclei), (cut.cells, first.cells))
    nuclei, cells = (count_differing(one, other, shape) for one, other in pairs)
    # Raises where they are not.
    assert_same_sums(cut.sums, first.sums)
    return (
        f"{block_px:5}{seconds} {cut.max_rss_mb:10.0f} {cut.lookup.n_instances:10} {nuclei:7} {cells:6}  yes"
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
