"""Pass 1 of the images of a sample that has many: each block as that of its own image, then counted for all.

An image is segmented exactly as if it were alone; only its roots and exits count the pixels of the images before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from isthmus.blocks.stack import Stack
from isthmus.packs.runner import BlockResult
from isthmus.segment.block import SegmentJob, segment_block
from isthmus.segment.record import BlockRecord


@dataclass(frozen=True)
class ManySegmentJob:
    """What a worker needs to segment any block of any image.

    job
        As for one image, but `image` is the folder of all images and `local_labels` that of all local labels.
    paths
        Of the images below that folder, in the order of the stack.
    """

    job: SegmentJob
    stack: Stack
    paths: tuple[str, ...]

    def of(self, image: int) -> SegmentJob:
        """What a block of one image needs."""
        return replace(
            self.job,
            image=self.job.image / self.paths[image] / "0",
            local_labels=self.job.local_labels / str(image),
            grid=self.stack.grid(image),
        )


def segment_block_of_many(many: ManySegmentJob, index: int) -> BlockResult:
    """Segment one block of all; roots and exits count the pixels of all images."""
    place = many.stack.locate(index)
    result = segment_block(many.of(place.image), place.index)
    record = BlockRecord.from_bytes(result.record)
    first = many.stack.first_pixel(place.image)
    record = replace(record, roots=record.roots + first, exits=record.exits + first)
    return BlockResult(record.to_bytes(), result.files)
