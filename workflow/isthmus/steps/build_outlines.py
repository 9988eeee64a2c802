"""build_outlines: the outlines of all cells of a sample, joined where blocks cut them."""

from __future__ import annotations

from isthmus.steps.block_records import BlockRecords
from isthmus.steps.cell_images import cell_images
from isthmus.steps.job import Job
from isthmus.steps.stored import describe_shards
from isthmus.tables.outline_pieces import OutlinePieces
from isthmus.tables.outlines import write_outlines


def build_outlines(job: Job) -> None:
    """Write cells.parquet; of all cells only ids and places are in memory, outlines a batch at a time."""
    plan, paths = job.sample, job.sample_paths
    scratch = paths.work / "outlines.partial"
    try:
        n_outlines = write_outlines(
            paths.outlines,
            OutlinePieces(scratch, BlockRecords(job)),
            sample=job.sample_name,
            affine=plan.window_affine,
            z_step_um=plan.z_step_um if plan.grid.shape[0] > 1 else None,
            images=cell_images(job),
        )
    finally:
        scratch.unlink(missing_ok=True)
    shards = describe_shards(job.paths.root, paths.outlines)
    job.write_record(paths.record("build_outlines"), {"n_outlines": n_outlines, "shards": shards})
