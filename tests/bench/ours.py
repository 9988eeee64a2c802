"""Isthmus as the benchmark calls it: its method, its stored levels, and a clock that knows the parts of its passes."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.clock import Phases, own_cpu_s
from bench.data import facts_of, folder_of, read_image, read_oracle, read_truth, smallest_of
from bench.score import drop_small, f1_score, wrong_objects

Labels = npt.NDArray[np.int32]

LEVEL = "isthmus.image.ome_zarr:Level"
PHASES = {
    "landscape": ("isthmus.segment.basins:BasinsMethod.landscape",),
    "forest": ("isthmus.segment.block:grow_forest",),
    "block record": ("isthmus.segment.block:make_record",),
    "final labels": ("isthmus.quantify.block:_final_nuclei",),
    "growth": ("isthmus.quantify.block:grow", "isthmus.quantify.block:grow_guided"),
    "other measuring": ("isthmus.quantify.block:measure",),
    "perimeters": ("isthmus.quantify.perimeter:border_kinds",),
    "hulls": ("isthmus.quantify.measure:find_extents", "isthmus.quantify.measure:convex_areas"),
    "percentiles": (
        "isthmus.quantify.measure:select_ranks",
        "isthmus.quantify.measure:sort_segments",
        "isthmus.quantify.measure:order_statistics",
        "isthmus.quantify.measure:count_values",
    ),
    "texture": (
        "isthmus.quantify.texture:NeighbourPairs.__init__",
        "isthmus.quantify.texture:NeighbourPairs.add",
        "isthmus.quantify.measure:entropies",
    ),
    "statistics": (
        "isthmus.quantify.measure:find_spans",
        "isthmus.quantify.measure:add_geometry",
        "isthmus.quantify.measure:group_spans",
        "isthmus.quantify.groups:Groups.values",
        "isthmus.quantify.measure:add_channel",
    ),
    "outlines": ("isthmus.quantify.block:outline_record",),
}


def make_method(image: str) -> Any:
    """The method `basins` with the preset of the package, ready for this image."""
    facts, histograms = facts_of(image), np.load(folder_of(image) / "histograms.npy")
    return method_from(list(histograms), facts["channels"], facts["pixel_size_um"])[0]


def method_from(histograms: list[Any], channels: list[str], pixel_size_um: float) -> tuple[Any, int]:
    """The method for an image of these histograms, and the pixels of the smallest nucleus that is kept."""
    from isthmus.config.segmentation import SegmentationOptions
    from isthmus.image.survey import ChannelSurvey
    from isthmus.segment import methods

    spacing = (1.0, pixel_size_um, pixel_size_um)
    options = SegmentationOptions.model_validate({})
    surveys = [ChannelSurvey(histogram) for histogram in histograms]
    method = methods.make_method(options, channels=channels, surveys=surveys, spacing_um=spacing)
    return method, methods.min_area_px(options, spacing_um=spacing, is_volume=False)


def spacing_um(image: str) -> tuple[float, float, float]:
    """Spacing of pixels (z, y, x) in micrometres."""
    size = facts_of(image)["pixel_size_um"]
    return (1.0, size, size)


def segment_patch(method: Any, pixels: npt.NDArray[np.uint16]) -> Labels:
    """The user's function of all patch-wise rows: labels (y, x) of a patch on its own. No nucleus is dropped."""
    from whole import segment_whole

    made: Labels = segment_whole(method, np.ascontiguousarray(pixels)[np.newaxis])[0]
    return made


def load_method(image: str) -> Any:
    """The pickled method; works in the environments of peers too."""
    return pickle.loads((folder_of(image) / "method.pickle").read_bytes())


def prepare_method(scratch: Path, image: str) -> dict[str, Any]:
    """Pickle the method for the environments of peers."""
    folder, facts = folder_of(image), facts_of(image)
    histograms = list(np.load(folder / "histograms.npy"))
    method, smallest = method_from(histograms, facts["channels"], facts["pixel_size_um"])
    (folder / "method.pickle").write_bytes(pickle.dumps(method))
    made = {"halo_px": method.halo_px[1], "smallest_px": smallest}
    (folder / "method.json").write_text(json.dumps(made), encoding="utf-8")
    return made


def whole_image(scratch: Path, image: str) -> dict[str, Any]:
    """The oracle of all rows that cut the image: the per-patch function on the whole image at once."""
    method, nuclei = make_method(image), read_image(image, 1)[0]
    segment_patch(method, nuclei[:64, :64])
    begin = own_cpu_s()
    labels = drop_small(segment_patch(method, nuclei), smallest_of(image))
    core = own_cpu_s() - begin
    np.save(folder_of(image) / "oracle.npy", labels.astype(np.int32))
    return {"core_cpu_s": core, "objects": int(np.unique(labels).size - 1)} | scores(labels, image)


def import_and_first(scratch: Path) -> dict[str, Any]:
    """What a worker costs before its first block: imports and loading compiled kernels. Run it twice: cold, warm."""
    import isthmus.quantify.block
    import isthmus.quantify.warm
    import isthmus.segment.block
    import isthmus.segment.warm  # noqa: F401

    return {"core_cpu_s": own_cpu_s()}


def grid_of(image: str, block_px: int) -> Any:
    """The blocks of an image."""
    from isthmus.blocks.grid import Grid

    return Grid((1, *facts_of(image)["shape"]), (1, block_px, block_px))


def make_levels(path: Path, image: str, block_px: int, dtype: np.dtype[Any], *, stays: bool = True) -> Any:
    """An empty label image, stored as the jobs store it."""
    from isthmus.image.ome_zarr import Level
    from isthmus.steps.label_array import ensure_label_array

    lock = path.with_name(f"{path.name}.lock")
    ensure_label_array(path, grid_of(image, block_px), dtype, lock=lock, digest="bench", stays=stays)
    lock.unlink()
    return Level.open(path, is_volume=False, has_channels=False, mode="r+")


def read_level(path: Path, *, has_channels: bool) -> Any:
    """A stored array, to be read as the package reads it."""
    from isthmus.image.ome_zarr import Level

    return Level.open(path, is_volume=False, has_channels=has_channels)


def watched(level: type[Any] | None = None) -> Phases:
    """A clock that knows the parts of both passes; `level` is what reads and writes, if it is not the package's own.

    Raises
    ------
    LookupError
        A part is not where it was: without it, others would seem cheaper or dearer than they are.
    """
    phases = Phases()
    place = f"{level.__module__}:{level.__qualname__}" if level else LEVEL
    for method in ("open", "read", "write"):
        phases.watch(f"{place}.{method}", "read and write")
    for name, places in PHASES.items():
        for place in places:
            phases.watch(place, name)
    return phases


def scores(labels: npt.NDArray[Any], image: str) -> dict[str, Any]:
    """Objects that are not those of the oracle, and F1 where the truth is known."""
    made: dict[str, Any] = {"wrong": wrong_objects(labels, read_oracle(image))}
    if facts_of(image)["has_truth"]:
        made["f1"] = f1_score(labels, read_truth(image))
    return made
