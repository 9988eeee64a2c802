"""The block records of pass 2, for the steps that put the blocks' parts together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from isthmus.blocks.arrays import arrays_from_bytes
from isthmus.errors import UserError
from isthmus.packs.journal import Journal
from isthmus.steps.job import Job


class BlockRecords:
    """The records of pass 2, read anew each time they are gone through: all blocks, in their order."""

    def __init__(self, job: Job) -> None:
        self._journal = Journal(job.sample_paths.journal("quantify_pack"), job.paths.root)
        found = self._journal.finished(job.plan.digest("quantify_pack", job.sample_name), look_at_files=False)
        n_blocks = job.sample.n_blocks
        missing = sorted(set(range(n_blocks)) - set(found))
        if missing:
            raise UserError(
                where=f"{job.sample_name}, quantification",
                found=f"{len(missing)} of {n_blocks} blocks are not done (first: {missing[0]})",
                do="run again with `isthmus run`, which repairs it",
            )
        self._entries = [found[block] for block in range(n_blocks)]

    def __iter__(self) -> Iterator[dict[str, npt.NDArray[Any]]]:
        for entry in self._entries:
            yield arrays_from_bytes(self._journal.record(entry))
