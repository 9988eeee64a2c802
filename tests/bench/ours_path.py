"""The stages of one path, each in a process of its own: both passes over all blocks, stitching, joining, outlines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from bench.clock import Phases, own_cpu_s
from bench.data import facts_of, pixels_of, smallest_of
from bench.measure import CACHE, empty_folder
from bench.ours import grid_of, make_levels, make_method, scores, spacing_um, watched


def path_folder(image: str, block_px: int, expand_um: float | None) -> Path:
    """What the stages of one path leave for each other."""
    return CACHE / f"path-{image}-{block_px}-{'default' if expand_um is None else expand_um}"


def first_pass(scratch: Path, image: str, block_px: int, expand_um: float | None = None) -> dict[str, Any]:
    """Pass 1 over all blocks in one worker."""
    from isthmus.segment.block import LOCAL_DTYPE, SegmentJob, segment_block

    method, grid = make_method(image), grid_of(image, block_px)
    folder = empty_folder(path_folder(image, block_px, expand_um))
    make_levels(folder / "local", image, block_px, LOCAL_DTYPE, stays=False)
    (folder / "records").mkdir()
    job = SegmentJob(pixels_of(image), folder / "local", grid, method)
    import isthmus.segment.warm  # noqa: F401

    _as_a_worker()
    phases = watched()
    begin = own_cpu_s()
    with phases.phase("rest"):
        for index in range(grid.n_blocks):
            (folder / "records" / str(index)).write_bytes(segment_block(job, index).record)
    return {"core_cpu_s": own_cpu_s() - begin, "phases": phases.seconds, "halo_px": method.halo_px[1]}


def _as_a_worker() -> None:
    from isthmus.packs.memory import keep_freed_memory

    keep_freed_memory()


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
    job = quantify_job(folder, image, grid, expand_um)
    import isthmus.quantify.warm  # noqa: F401

    _as_a_worker()
    phases = watched()
    begin = own_cpu_s()
    with phases.phase("rest"):
        for index in range(grid.n_blocks):
            (folder / "sums" / str(index)).write_bytes(quantify_block(job, index).record)
    return {"core_cpu_s": own_cpu_s() - begin, "phases": phases.seconds}


def quantify_job(folder: Path, image: str, grid: Any, expand_um: float | None) -> Any:
    """Pass 2 of an image, measuring all channels; `folder` holds what pass 1 left and gets what pass 2 makes."""
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
        spacing_um=spacing_um(image),
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
    for _ in range(2):  # the first time loads the kernels; the second counts
        phases = Phases()
        with phases.phase("sums"):
            sums = merge_sums(_sums(folder, grid))
        with phases.phase("other measuring"):
            complete_cells(list(_sums(folder, grid)), sums.ids, MEDIANS)
    core = sum(phases.seconds.values())
    made: dict[str, Any] = {"core_cpu_s": core, "phases": phases.seconds, "objects": int(sums.ids.size)}
    if score:
        nuclei = np.asarray(zarr.open_array(folder / "nuclei", mode="r")[:])
        made |= scores(nuclei, image)
    return made | _files(folder)


def write_outlines(
    scratch: Path, image: str, block_px: int, expand_um: float | None = None
) -> dict[str, Any]:
    """Outlines of all cells as GeoParquet, from what pass 2 left."""
    from isthmus.image.affine import Affine
    from isthmus.tables import outlines
    from isthmus.tables.outline_pieces import OutlinePieces

    folder, grid = path_folder(image, block_px, expand_um), grid_of(image, block_px)
    for number in range(2):  # the first time loads the kernels; the second counts
        begin = own_cpu_s()
        n_outlines = outlines.write_outlines(
            folder / "cells.parquet",
            OutlinePieces(scratch / f"pieces {number}", _sums(folder, grid)),
            sample="tissue",
            affine=Affine.from_size(facts_of(image)["pixel_size_um"]),
            z_step_um=None,
        )
        core = own_cpu_s() - begin
    return {"core_cpu_s": core, "objects": n_outlines} | _files(folder)


def _sums(folder: Path, grid: Any) -> Iterator[dict[str, npt.NDArray[Any]]]:
    from isthmus.blocks.arrays import arrays_from_bytes

    for index in range(grid.n_blocks):
        yield arrays_from_bytes((folder / "sums" / str(index)).read_bytes())


def _files(folder: Path) -> dict[str, Any]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {"files": len(files), "written_mb": sum(path.stat().st_size for path in files) / 2**20}
