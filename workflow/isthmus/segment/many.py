"""Pass 1 of the images of a sample that has many: each block as that of its own image, then counted for all.

An image is segmented exactly as if it were alone; only its roots and exits count the pixels of the images before it.
Imported labels have ids instead of roots, which `segment.stitch.number_ids` tells apart by image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.blocks.grid import Region
from isthmus.blocks.stack import Stack
from isthmus.packs.runner import BlockResult
from isthmus.segment.block import ImportJob, SegmentJob, import_block, segment_block
from isthmus.segment.record import BlockRecord

if TYPE_CHECKING:
    from isthmus.image.source import ImagePart


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


@dataclass(frozen=True)
class ManyImportJob:
    """What a worker needs to import any block of the label images of a sample.

    labels, windows, names
        Of each image, in the order of the stack: its label image, the part of that in use, and its name for errors.
    local_labels
        Folder of all local labels.
    """

    labels: tuple[ImagePart, ...]
    windows: tuple[Region, ...]
    names: tuple[str, ...]
    local_labels: Path
    stack: Stack
    where: str

    def of(self, image: int) -> ImportJob:
        """What a block of one image needs."""
        return ImportJob(
            self.labels[image],
            self.windows[image],
            self.local_labels / str(image),
            self.stack.grid(image),
            f"{self.where}, image {self.names[image]}",
        )


def import_block_of_many(many: ManyImportJob, index: int) -> BlockResult:
    """Import one block of all; its record holds ids as they are in its image."""
    place = many.stack.locate(index)
    return import_block(many.of(place.image), place.index)
