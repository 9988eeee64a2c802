"""Isthmus as the benchmark calls it: the only module here that knows the package.

The passes run as in the jobs, block by block, on the stored image, each in a process of its own.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from bench.clock import Phases, own_cpu_s
from bench.data import facts_of, folder_of, pixels_of, read_image, read_oracle, read_truth, smallest_of
from bench.measure import CACHE, empty_folder
from bench.score import drop_small, f1_score, wrong_objects

Labels = npt.NDArray[np.int32]

PHASES = {
    "read and write": (
        "isthmus.image.ome_zarr:Level.open",
        "isthmus.image.ome_zarr:Level.read",
        "isthmus.image.ome_zarr:Level.write",
    ),
    "landscape": ("isthmus.segment.basins:BasinsMethod.landscape",),
    "forest": ("isthmus.segment.block:grow_forest",),
    "block record": ("isthmus.segment.block:make_record",),
    "final labels": ("isthmus.quantify.block:_final_nuclei",),
    "growth": ("isthmus.quantify.block:grow",),
    "percentiles and outer shape": ("isthmus.quantify.block:measure",),
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


def method_from(
    histograms: list[Any], channels: list[str], pixel_size_um: float, preset: str = "tissue"
) -> tuple[Any, int]:
    """The method for an image of these histograms, and the pixels of the smallest nucleus that is kept."""
    from isthmus.config.segmentation import SegmentationOptions
    from isthmus.image.survey import ChannelSurvey
    from isthmus.segment import methods

    spacing = (1.0, pixel_size_um, pixel_size_um)
    options = SegmentationOptions.model_validate({"basins": {"preset": preset}})
    surveys = [ChannelSurvey(histogram) for histogram in histograms]
    method = methods.make_method(options, channels=channels, surveys=surveys, spacing_um=spacing)
    return method, methods.min_area_px(options, spacing_um=spacing, is_volume=False)


def _spacing(image: str) -> tuple[float, float, float]:
    size = facts_of(image)["pixel_size_um"]
    return (1.0, size, size)


def segment_patch(method: Any, pixels: npt.NDArray[np.uint16]) -> Labels:
    """The user's function of all patch-wise rows: labels (y, x) of a patch on its own. No nucleus is dropped."""
    from isthmus.blocks.grid import Region
    from isthmus.segment.forest import grow_forest

    patch = np.ascontiguousarray(pixels)[np.newaxis]
    whole = Region((0, 0, 0), patch.shape)
    labels, _, _ = grow_forest(
        method.landscape(patch),
        read=whole,
        write=whole,
        image_shape=whole.shape,
        merge_radius_px=method.merge_radius_px,
    )
    return labels[0]


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
    return {"core_cpu_s": core, "objects": int(np.unique(labels).size - 1)} | _scores(labels, image)


def path_folder(image: str, block_px: int, expand_um: float | None) -> Path:
    """What the stages of one path leave for each other."""
    return CACHE / f"path-{image}-{block_px}-{'default' if expand_um is None else expand_um}"


def first_pass(scratch: Path, image: str, block_px: int, expand_um: float | None = None) -> dict[str, Any]:
    """Pass 1 over all blocks in one worker."""
    from isthmus.segment.block import LOCAL_DTYPE, SegmentJob, segment_block

    method, grid = make_method(image), grid_of(image, block_px)
    folder = empty_folder(path_folder(image, block_px, expand_um))
    make_levels(folder / "local", image, block_px, LOCAL_DTYPE)
    (folder / "records").mkdir()
    job = SegmentJob(pixels_of(image), folder / "local", grid, method)
    import isthmus.segment.warm  # noqa: F401

    phases = _watched()
    begin = own_cpu_s()
    with phases.phase("rest"):
        for index in range(grid.n_blocks):
            (folder / "records" / str(index)).write_bytes(segment_block(job, index).record)
    return {"core_cpu_s": own_cpu_s() - begin, "phases": phases.seconds, "halo_px": method.halo_px[1]}


def stitch_blocks(scratch: Path, image: str, block_px: int, expand_um: float | None = None) -> dict[str, Any]:
    """Stitching: block records to final ids."""
    from isthmus.blocks.lookup import write_lookup
    from isthmus.segment.record import BlockRecord
    from isthmus.segment.stitch import stitch

    folder, grid = path_folder(image, block_px, expand_um), grid_of(image, block_px)

    class Records(Mapping[int, BlockRecord]):
        def __getitem__(self, index: int) -> BlockRecord:
            return BlockRecord.from_bytes((folder / "records" / str(index)).read_bytes())

        def __iter__(self) -> Any:
            return iter(range(grid.n_blocks))

        def __len__(self) -> int:
            return grid.n_blocks

    begin = own_cpu_s()
    lookup = stitch(Records(), grid, min_area_px=smallest_of(image))
    write_lookup(folder / "lookup", lookup.ids, lookup.offsets, lookup.roots)
    core = own_cpu_s() - begin
    (folder / "max_id.txt").write_text(str(lookup.max_id))
    return {"core_cpu_s": core, "objects": lookup.n_instances}


def second_pass(scratch: Path, image: str, block_px: int, expand_um: float | None = None) -> dict[str, Any]:
    """Pass 2 over all blocks in one worker: final labels and 4-channel statistics."""
    from isthmus.quantify.block import quantify_block
    from isthmus.segment.stitch import label_dtype

    folder, grid = path_folder(image, block_px, expand_um), grid_of(image, block_px)
    for name in ("nuclei", "cells"):
        make_levels(folder / name, image, block_px, label_dtype(int((folder / "max_id.txt").read_text())))
    (folder / "sums").mkdir()
    job = _quantify_job(folder, image, grid, expand_um)
    import isthmus.quantify.warm  # noqa: F401

    phases = _watched()
    begin = own_cpu_s()
    with phases.phase("rest"):
        for index in range(grid.n_blocks):
            (folder / "sums" / str(index)).write_bytes(quantify_block(job, index).record)
    return {"core_cpu_s": own_cpu_s() - begin, "phases": phases.seconds}


def _quantify_job(folder: Path, image: str, grid: Any, expand_um: float | None) -> Any:
    from isthmus.config.models import Settings
    from isthmus.quantify.block import QuantifyJob

    cells = Settings(samples=Path("samples.tsv")).cells
    return QuantifyJob(
        image=pixels_of(image),
        local_labels=folder / "local",
        lookup=folder / "lookup",
        nuclei=folder / "nuclei",
        cells=folder / "cells",
        points=None,
        grid=grid,
        channels=tuple(range(len(facts_of(image)["channels"]))),
        expand_um=cells.expand_um if expand_um is None else expand_um,
        spacing_um=_spacing(image),
        n_features=0,
        min_qv=20.0,
    )


def join_sums(
    scratch: Path, image: str, block_px: int, expand_um: float | None = None, *, score: bool = False
) -> dict[str, Any]:
    """Join what all blocks found of the cells; compare the labels with the oracle and the truth."""
    from isthmus.quantify.measure import MEDIANS
    from isthmus.tables.complete import complete_cells
    from isthmus.tables.merge import merge_sums

    folder, grid = path_folder(image, block_px, expand_um), grid_of(image, block_px)
    for _ in range(2):  # the first time loads the kernels
        phases = Phases()
        with phases.phase("sums"):
            sums = merge_sums(_sums(folder, grid))
        with phases.phase("percentiles and outer shape"):
            complete_cells(list(_sums(folder, grid)), sums.ids, MEDIANS)
    core = sum(phases.seconds.values())
    made: dict[str, Any] = {"core_cpu_s": core, "phases": phases.seconds, "objects": int(sums.ids.size)}
    if score:
        nuclei = np.asarray(zarr.open_array(folder / "nuclei", mode="r")[:])
        made |= _scores(nuclei, image)
    return made | _files(folder)


def write_outlines(
    scratch: Path, image: str, block_px: int, expand_um: float | None = None
) -> dict[str, Any]:
    """Outlines of all cells as GeoParquet, from what pass 2 left."""
    from isthmus.image.affine import Affine
    from isthmus.tables import outlines
    from isthmus.tables.outline_pieces import OutlinePieces

    folder, grid = path_folder(image, block_px, expand_um), grid_of(image, block_px)
    spent = []
    for _ in range(2):  # the first time loads the kernels
        begin = own_cpu_s()
        n_outlines = outlines.write_outlines(
            folder / "cells.parquet",
            OutlinePieces(scratch / "pieces", _sums(folder, grid)),
            sample="tissue",
            affine=Affine.from_size(facts_of(image)["pixel_size_um"]),
            z_step_um=None,
        )
        spent.append(own_cpu_s() - begin)
        (scratch / "pieces").unlink()
    core = min(spent)
    return {"core_cpu_s": core, "objects": n_outlines} | _files(folder)


def _sums(folder: Path, grid: Any) -> Iterator[dict[str, npt.NDArray[Any]]]:
    from isthmus.blocks.arrays import arrays_from_bytes

    for index in range(grid.n_blocks):
        yield arrays_from_bytes((folder / "sums" / str(index)).read_bytes())


def _files(folder: Path) -> dict[str, Any]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {"files": len(files), "written_mb": sum(path.stat().st_size for path in files) / 2**20}


def _scores(labels: npt.NDArray[Any], image: str) -> dict[str, Any]:
    made: dict[str, Any] = {"wrong": wrong_objects(labels, read_oracle(image))}
    if facts_of(image)["has_truth"]:
        made["f1"] = f1_score(labels, read_truth(image))
    return made


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


def make_levels(path: Path, image: str, block_px: int, dtype: np.dtype[Any]) -> Any:
    """An empty label image, stored as the package stores it."""
    from isthmus.image.ome_zarr import create_level

    grid = grid_of(image, block_px)
    return create_level(path, shape=grid.shape, dtype=dtype, chunk=_chunk(block_px), shard=grid.block_px)


def read_level(path: Path, *, has_channels: bool) -> Any:
    """A stored array, to be read as the package reads it."""
    from isthmus.image.ome_zarr import Level

    return Level.open(path, is_volume=False, has_channels=has_channels)


def _chunk(block_px: int) -> tuple[int, int, int]:
    return (1, min(block_px, 256), min(block_px, 256))


def _watched() -> Phases:
    """A clock that knows the parts of both passes.

    Raises
    ------
    LookupError
        A part is not where it was: without it, others would seem cheaper or dearer than they are.
    """
    phases = Phases()
    for name, places in PHASES.items():
        for place in places:
            phases.watch(place, name)
    return phases
