"""Quality and speed of `basins` on real images with known nuclei: `python tests/quality.py [PRESET] [DATA]`.

Prints F1 (intersection over union above 0.5, all nuclei of all images) for the sets dsb2018_fluo_dev and dsb2018_train,
pixels taken as 0.5 um, beside Otsu's threshold with a distance watershed; for the volume plantseg_nuclei3d; and the CPU
milliseconds a megapixel of the landscape, compiled kernels, smallest of several repeats.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import tifffile
from scipy import ndimage
from skimage import feature, filters, io, morphology, segmentation
from whole import segment_whole

from isthmus.config.segmentation import BasinsOptions, SegmentationOptions
from isthmus.image.survey import ChannelSurvey
from isthmus.segment.method import LandscapeMethod
from isthmus.segment.methods import make_method, min_area_px
from isthmus.segment.size import choose_windows, measure_diameter
from isthmus.steps.import_image import shards_of
from isthmus.steps.survey_image import with_measured_diameter

Image = npt.NDArray[Any]
Spacing = tuple[float, float, float]


def brightness(pixels: Image) -> npt.NDArray[np.int64]:
    """Sum of the pixels of each shard that the image (z, y, x) would have."""
    z, y, x = pixels.shape
    grid = shards_of((z, y, x))
    parts = (pixels[grid.block(index).write.slices] for index in range(grid.n_blocks))
    return np.array([part.sum(dtype=np.int64) for part in parts])


def method_for(pixels: Image, options: SegmentationOptions, spacing_um: Spacing) -> LandscapeMethod:
    """`basins` for an image (z, y, x) that is a sample of its own."""
    survey = ChannelSurvey(np.bincount(pixels.reshape(-1), minlength=65_536).astype(np.int64))
    if options.basins.measure_diameter:
        z, y, x = pixels.shape
        windows = choose_windows(shards_of((z, y, x)), brightness(pixels))
        found = measure_diameter(
            [pixels[window.slices] for window in windows],
            options.basins.settings(),
            spacing_um=spacing_um,
            survey=survey,
        )
        options = with_measured_diameter(options, {"nucleus_diameter_um": found})
    return make_method(options, channels=["nuclei"], surveys=[survey], spacing_um=spacing_um)


def nuclei(pixels: Image, options: SegmentationOptions, spacing_um: Spacing) -> Image:
    """Labels of an image (z, y, x), small ones dropped."""
    labels = segment_whole(method_for(pixels, options, spacing_um), pixels)
    least = min_area_px(options, spacing_um=spacing_um, is_volume=pixels.shape[0] > 1)
    return np.where(np.bincount(labels.reshape(-1))[labels] < least, 0, labels)


def otsu_watershed(pixels: Image) -> Image:
    """The baseline of dsb2018_fluo_dev (its README) on an image (y, x)."""
    smooth = ndimage.gaussian_filter(pixels.astype(float), 1)
    mask = ndimage.binary_fill_holes(smooth > filters.threshold_otsu(smooth))
    mask = morphology.remove_small_objects(mask, max_size=19)
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1.5)
    summits = feature.peak_local_max(distance, min_distance=5, labels=mask.astype(int), exclude_border=False)
    markers = np.zeros(mask.shape, int)
    markers[tuple(summits.T)] = np.arange(1, len(summits) + 1)
    return np.asarray(segmentation.watershed(-distance, markers, mask=mask))


def counts(truth: Image, labels: Image) -> npt.NDArray[np.int64]:
    """Hits, true objects, objects found."""
    wide = int(labels.max()) + 1
    shared = np.bincount(
        (truth.astype(np.int64) * wide + labels).reshape(-1), minlength=(int(truth.max()) + 1) * wide
    ).reshape(-1, wide)
    of_truth, of_labels = shared.sum(1), shared.sum(0)
    union = of_truth[1:, None] + of_labels[None, 1:] - shared[1:, 1:]
    hits = np.count_nonzero(2 * shared[1:, 1:] > union)
    return np.array([hits, np.count_nonzero(of_truth[1:]), np.count_nonzero(of_labels[1:])])


def f1(pairs: Iterable[tuple[Image, Image]]) -> str:
    """F1 over all objects of (truth, labels), and what it is made of."""
    hits, true, found = np.sum([counts(*pair) for pair in pairs], axis=0)
    return f"{2 * hits / (true + found):.3f} ({hits} of {true} nuclei, {found} found)"


def dsb_images(data: Path) -> dict[str, list[tuple[Image, Image]]]:
    """(image, truth) of the 32 images and of the other 416."""
    dev = sorted((data / "dsb2018_fluo_dev/images").glob("*.tif"))
    train = data / "dsb2018_train"
    rows = csv.DictReader((train / "index.csv").open(encoding="utf-8"))
    names = [f"{row['name']}.png" for row in rows if row["in_dev_set"] == "0"]
    return {
        "dsb2018_train, the other 416": [
            (io.imread(train / "images" / name), io.imread(train / "labels" / name)) for name in names
        ],
        "dsb2018_fluo_dev, all 32": [
            (tifffile.imread(path), tifffile.imread(path.parents[1] / "labels" / path.name)) for path in dev
        ],
    }


def milliseconds(pixels: Image, options: SegmentationOptions, size_um: float) -> float:
    """CPU time of the landscape per megapixel, halo not counted."""
    method = method_for(pixels, options, (1.0, size_um, size_um))
    times = []
    for _ in range(8):
        start = time.process_time()
        method.landscape(pixels)
        times.append(time.process_time() - start)
    return 1e9 * min(times) / pixels.size


def figures(preset: str, data: Path) -> Iterator[str]:
    """A line a figure."""
    options = SegmentationOptions(basins=BasinsOptions.model_validate({"preset": preset}))
    sets = dsb_images(data)
    for name, images in sets.items():
        found = ((t, nuclei(i[None].astype(np.uint16), options, (1.0, 0.5, 0.5))[0]) for i, t in images)
        yield f"{name}: F1 of {preset} {f1(found)}"
        yield f"{name}: F1 of the baseline {f1((t, otsu_watershed(i)) for i, t in images)}"
    with h5py.File(data / "plantseg_nuclei3d/1136_mini.h5") as file:
        raw, truth = file["raw"][:].astype(np.uint16), file["label"][:]
        z, y, x = (float(size) for size in file["raw"].attrs["element_size_um"])
    yield f"plantseg_nuclei3d: F1 of {preset} {f1([(truth, nuclei(raw, options, (z, y, x)))])}"
    largest = max((image for image, _ in sets["dsb2018_fluo_dev, all 32"]), key=lambda image: image.size)
    tiled = np.tile(largest, (2, 1))[:1024, :1024][None].astype(np.uint16)
    for size_um in (0.5, 0.2125):
        yield f"landscape at {size_um} um: {milliseconds(tiled, options, size_um):.1f} ms/MPix"


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "tissue"
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("../shared/data")
    for line in figures(chosen, folder):
        sys.stdout.write(f"{line}\n")
