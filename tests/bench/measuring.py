"""Rows that measure given cells in four channels: how many cells a second, whichever way they were found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.clock import own_cpu_s
from bench.data import facts_of, read_image, read_oracle

_BASIC = (
    "label",
    "area",
    "bbox",
    "centroid",
    "intensity_mean",
    "intensity_min",
    "intensity_max",
    "intensity_std",
)
_SHAPE = ("axis_major_length", "axis_minor_length", "eccentricity", "orientation")


def _result(core: float, image: str) -> dict[str, Any]:
    cells = int(np.unique(read_oracle(image)).size - 1)
    return {"core_cpu_s": core, "objects": cells, "cells_per_cpu_s": cells / core}


def regionprops(scratch: Path, image: str, shape: bool) -> dict[str, Any]:
    """scikit-image: regionprops_table of area, box, centroid, mean, minimum, maximum, deviation; or axes too."""
    from skimage.measure import regionprops_table

    labels, pixels = read_oracle(image), np.moveaxis(read_image(image), 0, -1)
    begin = own_cpu_s()
    regionprops_table(labels, pixels, properties=_BASIC + (_SHAPE if shape else ()))
    return _result(own_cpu_s() - begin, image)


def scipy_sums(scratch: Path, image: str) -> dict[str, Any]:
    """numpy: sums by bincount, the fast way to means alone."""
    labels, pixels = read_oracle(image).reshape(-1), read_image(image)
    begin = own_cpu_s()
    area = np.bincount(labels)
    for channel in pixels:
        np.bincount(labels, weights=channel.reshape(-1)) / np.maximum(area, 1)
    return _result(own_cpu_s() - begin, image)


def cp_measure(scratch: Path, image: str, accelerated: bool) -> dict[str, Any]:
    """cp_measure: intensity of each channel, and size and shape once."""
    import cp_measure
    from cp_measure.bulk import get_core_measurements

    if accelerated:
        cp_measure.set_accelerator("numba")
    measure = get_core_measurements()
    labels, pixels = read_oracle(image), read_image(image).astype(np.float64) / 65535
    if accelerated:
        measure["intensity"](labels[:256, :256], pixels[0, :256, :256])
    begin = own_cpu_s()
    measure["sizeshape"](labels, None)
    for channel in pixels:
        measure["intensity"](labels, channel)
    return _result(own_cpu_s() - begin, image)


def dask_image(scratch: Path, image: str) -> dict[str, Any]:
    """dask-image: ndmeasure.mean of one channel, times four; it makes a task for every cell, so of few cells."""
    import dask.array as da
    from dask_image import ndmeasure

    labels, pixels = read_oracle(image), read_image(image)
    chosen = np.unique(labels)[1:101]
    begin = own_cpu_s()
    for channel in pixels:
        ndmeasure.mean(
            da.from_array(channel, chunks=1024), da.from_array(labels, chunks=1024), chosen
        ).compute(scheduler="synchronous")
    core = own_cpu_s() - begin
    return {"core_cpu_s": core, "objects": int(chosen.size), "cells_per_cpu_s": chosen.size / core}


def bioimage_regionprops(scratch: Path, image: str) -> dict[str, Any]:
    """bioimage-py: morphology (area, centroid, box) of all cells, without intensities."""
    import bioimage_py

    labels = read_oracle(image)
    begin = own_cpu_s()
    bioimage_py.morphology.morphology(labels, block_shape=(1024, 1024))
    return _result(own_cpu_s() - begin, image)


def spatialdata_aggregate(scratch: Path, image: str) -> dict[str, Any]:
    """spatialdata: aggregate the image by the label image, means alone."""
    import spatialdata as sd
    from spatialdata.models import Image2DModel, Labels2DModel

    labels, pixels = read_oracle(image), read_image(image)
    values = Image2DModel.parse(pixels, dims=("c", "y", "x"), c_coords=facts_of(image)["channels"])
    by = Labels2DModel.parse(labels, dims=("y", "x"))
    begin = own_cpu_s()
    made = sd.aggregate(values=values, by=by, agg_func="mean", target_coordinate_system="global")
    core = own_cpu_s() - begin
    assert next(iter(made.tables.values())).n_obs > 0
    return _result(core, image)


def squidpy_features(scratch: Path, image: str) -> dict[str, Any]:
    """squidpy: segmentation features (areas, means of each channel) of a crop around each of 200 cells."""
    import anndata
    import pandas as pd
    import squidpy
    from skimage.measure import regionprops_table

    labels, pixels = read_oracle(image), read_image(image)
    container = squidpy.im.ImageContainer(np.moveaxis(pixels, 0, -1), layer="image")
    container.add_img(labels.astype(np.uint32), layer="cells", dims=("y", "x"))
    where = pd.DataFrame(regionprops_table(labels, properties=("label", "centroid")))[:200]
    table = anndata.AnnData(np.zeros((len(where), 1), dtype=np.float32))
    table.obsm["spatial"] = where[["centroid-1", "centroid-0"]].to_numpy()
    table.uns["spatial"] = {"one": {"images": {}, "scalefactors": {"spot_diameter_fullres": 16.0}}}
    begin = own_cpu_s()
    squidpy.im.calculate_image_features(
        table,
        container,
        layer="image",
        features="segmentation",
        features_kwargs={
            "segmentation": {"label_layer": "cells", "props": ["label", "area", "mean_intensity"]}
        },
        key_added="made",
        show_progress_bar=False,
        n_jobs=1,
    )
    core = own_cpu_s() - begin
    return {"core_cpu_s": core, "objects": len(where), "cells_per_cpu_s": len(where) / core}
