"""Whether the journals hold every block that their packs say is done."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.errors import UserError, n_of
from isthmus.launch.jobs import last_note
from isthmus.launch.repair import blocks_without_entry
from isthmus.plan.model import RunPlan
from isthmus.plan.paths import RunPaths
from isthmus.plan.rules import IN_PACKS
from isthmus.verify.noted import Place


def faults_of_journals(plan: RunPlan, paths: RunPaths, sample: str, place: Place) -> Iterator[UserError]:
    """A fault for every journal that lacks blocks of packs which are done."""
    for rule in IN_PACKS:
        done = [
            pack
            for pack in plan.packs(sample)
            if (note := last_note(paths, f"{rule}.{sample}.{pack}")).get("status") == "done"
            and note.get("digest") == plan.digest(rule, sample)
        ]
        if not done:
            continue
        missing = blocks_without_entry(plan, paths, rule, sample)
        blocks = sorted(block for pack in done for block in plan.sample(sample).blocks_of(pack))
        lost = [block for block in blocks if block in missing]
        if lost:
            folder = paths.sample(sample).journal(rule).relative_to(paths.root)
            yield UserError(
                where=place(str(folder)),
                found=f"the journal is cut short: {n_of(len(lost), 'block')} of {len(blocks)} without a whole entry,"
                f" first block {lost[0]} ({plan.sample(sample).place_of(lost[0])})",
                do="run again with `isthmus run`, which computes these blocks again",
            )
