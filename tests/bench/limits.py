"""What bounds any program on these data: decoding and encoding alone; and the quality on expert outlines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from bench.clock import own_cpu_s
from bench.data import SHARD_PX, facts_of, pixels_of, read_oracle
from bench.measure import ROOT
from bench.ours import grid_of, make_levels, read_level
from bench.score import matched

DSB = ROOT.parent / "shared" / "data" / "dsb2018_fluo_dev"


def codecs(scratch: Path, image: str) -> dict[str, Any]:
    """Read all channels once, write nuclei and cells once, whole shards as Isthmus stores them."""
    from isthmus.packs.memory import keep_freed_memory
    from isthmus.segment.stitch import label_dtype

    labels = read_oracle(image).astype(label_dtype(int(read_oracle(image).max())))[np.newaxis]
    grid = grid_of(image, SHARD_PX)
    pixels = read_level(pixels_of(image), has_channels=True)
    targets = [make_levels(scratch / name, image, SHARD_PX, labels.dtype) for name in ("nuclei", "cells")]
    keep_freed_memory()
    pixels.read(grid.block(0).write)  # the first use of the codecs loads them
    begin = own_cpu_s()
    for index in range(grid.n_blocks):
        for channel in range(len(facts_of(image)["channels"])):
            pixels.read(grid.block(index).write, channel)
    middle = own_cpu_s()
    for index in range(grid.n_blocks):
        write = grid.block(index).write
        for target in targets:
            target.write(write, labels[write.slices])
    end = own_cpu_s()
    return {
        "core_cpu_s": end - begin,
        "phases": {"read four channels": middle - begin, "write nuclei and cells": end - middle},
    }


def expert_outlines(scratch: Path) -> dict[str, Any]:
    """F1 over all nuclei of 32 images of DSB 2018, pixels of 0.5 um, preset `culture`; baseline on the same images."""
    import tifffile
    from quality import nuclei, otsu_watershed

    from isthmus.config.segmentation import SegmentationOptions

    if not DSB.exists():
        raise FileNotFoundError(
            f"{DSB.name} is not beside the checkout ({os.path.relpath(DSB.parent, ROOT)})"
        )
    options = SegmentationOptions.model_validate({"basins": {"preset": "culture"}})
    ours, baseline = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    for path in sorted((DSB / "images").glob("*.tif")):
        pixels = tifffile.imread(path).astype(np.uint16)
        truth = tifffile.imread(DSB / "labels" / path.name)
        ours += matched(nuclei(pixels[np.newaxis], options, (1.0, 0.5, 0.5))[0], truth)
        baseline += matched(otsu_watershed(pixels), truth)
    return {
        "f1": _f1(ours),
        "f1_baseline": _f1(baseline),
        "images": len(list((DSB / "images").glob("*.tif"))),
    }


def _f1(counts: Any) -> float:
    hits, found, true = (int(n) for n in counts)
    return 2 * hits / (found + true)
