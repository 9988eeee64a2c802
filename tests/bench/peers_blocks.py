"""Rows that cut the image into blocks: no halo, halo, dask-image, bioimage-py; the per-patch function is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.clock import own_cpu_s
from bench.data import facts_of, halo_of, pixels_of, read_image, read_oracle, read_truth, smallest_of
from bench.ours import load_method, segment_patch
from bench.score import drop_small, f1_score, wrong_objects

Labels = npt.NDArray[np.integer]


def _finish(labels: Labels, image: str, core: float, oracle: Labels | None = None) -> dict[str, Any]:
    made = {"core_cpu_s": core, "objects": int(np.unique(labels).size - 1)}
    made["wrong"] = wrong_objects(labels, read_oracle(image) if oracle is None else oracle)
    if facts_of(image)["has_truth"]:
        made["f1"] = f1_score(labels, read_truth(image))
    return made


def cut(scratch: Path, image: str, block_px: int, with_halo: bool) -> dict[str, Any]:
    """Blocks one by one; each keeps what lies in it, and nothing is joined."""
    method, pixels = load_method(image), read_image(image, 1)[0]
    halo = halo_of(image) if with_halo else 0
    segment_patch(method, pixels[:64, :64])
    begin = own_cpu_s()
    labels, last = np.zeros(pixels.shape, dtype=np.int32), 0
    for y in range(0, pixels.shape[0], block_px):
        for x in range(0, pixels.shape[1], block_px):
            top, left = max(0, y - halo), max(0, x - halo)
            patch = segment_patch(method, pixels[top : y + block_px + halo, left : x + block_px + halo])
            inner = patch[y - top : y - top + block_px, x - left : x - left + block_px]
            labels[y : y + block_px, x : x + block_px] = np.where(inner > 0, inner + last, 0)
            last += int(patch.max())
    labels = drop_small(labels, smallest_of(image))
    return _finish(labels, image, own_cpu_s() - begin)


def dask_label(scratch: Path, image: str, block_px: int) -> dict[str, Any]:
    """dask-image: the per-patch function with halo by map_overlap, then ndmeasure.label on its foreground."""
    import dask
    import dask.array as da
    from dask_image import ndmeasure
    from scipy import ndimage

    method = load_method(image)
    pixels = da.from_zarr(pixels_of(image))[0].rechunk(block_px)
    segment_patch(method, read_image(image, 1)[0][:64, :64])
    begin = own_cpu_s()
    with dask.config.set(scheduler="synchronous"):
        mask = pixels.map_overlap(
            lambda patch: segment_patch(method, patch) > 0, depth=halo_of(image), boundary="none", dtype=bool
        )
        labels, _ = ndmeasure.label(mask, structure=np.ones((3, 3)))
        made = np.asarray(labels.compute())
    core = own_cpu_s() - begin
    whole = segment_patch(method, read_image(image, 1)[0]) > 0
    oracle = ndimage.label(whole, np.ones((3, 3)))[0]
    return _finish(made, image, core, oracle)


def bioimage_stitch(scratch: Path, image: str, block_px: int) -> dict[str, Any]:
    """bioimage-py: stitch_segmentation (overlaps in the halo, multicut) around the per-patch function."""
    import bioimage_py
    import zarr

    method, pixels = load_method(image), read_image(image, 1)[0]
    segment_patch(method, pixels[:64, :64])
    output = zarr.create_array(
        scratch / "labels", shape=pixels.shape, chunks=(block_px, block_px), dtype=np.uint64, fill_value=0
    )
    begin = own_cpu_s()
    bioimage_py.segmentation.stitch_segmentation(
        pixels,
        lambda patch, _: segment_patch(method, np.asarray(patch)).astype(np.uint64),
        (block_px, block_px),
        (halo_of(image), halo_of(image)),
        output,
    )
    labels = drop_small(output[:].astype(np.int64), smallest_of(image))
    return _finish(labels, image, own_cpu_s() - begin)
