"""Segmentations of one image beside each other: which cells are the same, and what the tables make of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from anndata.io import read_h5ad

from isthmus.image.ome_zarr import Level
from isthmus.steps.job import Job, read_json, write_json
from isthmus.tables.overlaps import Overlaps, add_overlaps


def compare_segmentations(job: Job) -> None:
    """Write comparison.json: a line a sample that has another's image and another method."""
    rows = [_compare(job, name, other) for name, other in job.plan.compared().items()]
    path = job.paths.cohort / "comparison.json"
    path.unlink(missing_ok=True)
    if rows:
        write_json(path, {"pairs": rows, "samples": _samples(job)})


def _samples(job: Job) -> dict[str, Any]:
    """Numbers of every sample that is in a comparison."""
    compared = job.plan.compared()
    names = [name for name in job.plan.samples if name in compared or name in compared.values()]
    return {name: _numbers(job, name) for name in names}


def _numbers(job: Job, name: str) -> dict[str, Any]:
    paths, plan = job.paths.sample(name), job.plan.sample(name)
    quality = read_json(paths.record("assess_quality"))
    transcripts = read_json(paths.record("build_table")).get("transcripts")
    genes = transcripts["by_kind"]["gene"] if transcripts else {}
    obs = read_h5ad(paths.table, backed="r").obs
    counts = quality.get("counts", {})
    return {
        "method": plan.settings(job.plan.settings)["segmentation"]["method"],
        "cells": quality["cells"],
        "passed": quality["passed"],
        "median_counts": float(obs["n_counts"].median()) if len(obs) else None,
        "median_area_um2": float(obs["area_um2"].median()) if len(obs) and "area_um2" in obs else None,
        "in_cells": sum(n for place, n in genes.items() if place != "none"),
        "transcripts": sum(genes.values()),
        "double_positive": counts.get("double_positive"),
        "negative_rate": counts.get("negative_rate"),
    }


def _compare(job: Job, name: str, other: str) -> dict[str, Any]:
    overlaps = add_overlaps(_pieces(job, other, name))
    one, two, iou = overlaps.matches()
    return {
        "sample": name,
        "with": other,
        "same": int(one.size),
        "f1": overlaps.f1(),
        "mean_iou": float(iou.mean()) if iou.size else None,
        "correlation": _correlation(job, (other, one), (name, two)),
        **_mixed(overlaps),
    }


def _pieces(job: Job, one: str, other: str) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """The cells of both samples, block by block of each image of the first; ids of a sample's images differ."""
    plan, paths = job.plan.sample(one), [job.paths.sample(name) for name in (one, other)]
    for image, path in enumerate(plan.image_paths):
        grid = plan.stack.grid(image)
        levels = [
            Level.open(of.labels_at(path) / "cells" / "0", is_volume=grid.shape[0] > 1, has_channels=False)
            for of in paths
        ]
        for block in range(grid.n_blocks):
            write = grid.block(block).write
            yield levels[0].read(write), levels[1].read(write)


def _correlation(
    job: Job, one: tuple[str, npt.NDArray[np.int64]], other: tuple[str, npt.NDArray[np.int64]]
) -> float | None:
    """Pearson's r of the counts of the cells that are the same."""
    counts = []
    for name, ids in (one, other):
        obs = read_h5ad(job.paths.sample(name).table, backed="r").obs.set_index("instance_id")
        counts.append(obs["n_counts"].reindex(ids).to_numpy(dtype=np.float64))
    if counts[0].size < 3 or any(np.ptp(values) == 0 for values in counts):
        return None
    return float(np.corrcoef(counts[0], counts[1])[0, 1])


def _mixed(overlaps: Overlaps) -> dict[str, int]:
    """Cells of either sample that overlap none of the other's."""
    return {
        "only_here": int(np.setdiff1d(overlaps.ids_b, overlaps.pair_b).size),
        "only_there": int(np.setdiff1d(overlaps.ids_a, overlaps.pair_a).size),
    }
