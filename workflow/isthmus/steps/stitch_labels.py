"""stitch_labels: final ids for all blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from isthmus.blocks.lookup import write_lookup
from isthmus.errors import UserError
from isthmus.packs.journal import Entry, Journal
from isthmus.segment.methods import min_area_px
from isthmus.segment.record import BlockRecord
from isthmus.segment.stitch import Lookup, keep_ids, number_ids, stitch
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of
from isthmus.steps.stored import describe_shards


def stitch_labels(job: Job) -> None:
    """Read the block records of pass 1, number the instances."""
    lookup = _number(job)
    paths = job.sample_paths
    write_lookup(paths.lookup, lookup.ids, lookup.offsets, lookup.roots, lookup.given)
    shards = describe_shards(job.paths.root, paths.lookup)
    job.n_files += len(shards)
    job.write_record(
        paths.record("stitch_labels"),
        {"n_instances": lookup.n_instances, "max_id": lookup.max_id, "shards": shards},
    )


def _number(job: Job) -> Lookup:
    stack, settings = job.sample.stack, settings_of(job.plan, job.sample)
    journal = Journal(job.sample_paths.journal("segment_pack"), job.paths.root)
    entries = journal.finished(job.plan.digest("segment_pack", job.sample_name), look_at_files=False)
    missing = sorted(set(range(stack.n_blocks)) - set(entries))
    if missing:
        raise UserError(
            where=f"{job.sample_name}, segmentation",
            found=f"{len(missing)} of {stack.n_blocks} blocks are not done (first: {missing[0]})",
            do="run again with `isthmus run`, which repairs it",
        )
    records = _Records(journal, entries)
    if settings.segmentation.method == "labels":
        return number_ids(records, stack) if job.sample.images else keep_ids(records, stack)
    smallest = min_area_px(
        settings.segmentation, spacing_um=job.sample.spacing_um, is_volume=job.sample.grid.shape[0] > 1
    )
    return stitch(records, stack, min_area_px=smallest)


class _Records(Mapping[int, BlockRecord]):
    """The block records in a journal, each read when it is asked for."""

    def __init__(self, journal: Journal, entries: Mapping[int, Entry]) -> None:
        self._journal, self._entries = journal, entries

    def __getitem__(self, block: int) -> BlockRecord:
        return BlockRecord.from_bytes(self._journal.record(self._entries[block]))

    def __iter__(self) -> Iterator[int]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
