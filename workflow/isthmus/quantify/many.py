"""Pass 2 of the images of a sample that has many: each block as that of its own image, with the ids of the sample."""

from __future__ import annotations

from dataclasses import dataclass, replace

from isthmus.blocks.stack import Stack
from isthmus.packs.runner import BlockResult
from isthmus.quantify.block import QuantifyJob, quantify_block


@dataclass(frozen=True)
class ManyQuantifyJob:
    """What a worker needs to quantify any block of any image.

    job
        As for one image, but `image` is the folder of all images, `local_labels` that of all local labels, and nuclei
        and cells are unused.
    paths
        Of the images below that folder, in the order of the stack.
    are_planes
        Whether they are the planes of a stack, and share its binned transcripts.
    """

    job: QuantifyJob
    stack: Stack
    paths: tuple[str, ...]
    are_planes: bool = False

    def of(self, image: int) -> QuantifyJob:
        """What a block of one image needs."""
        folder = self.job.image / self.paths[image]
        return replace(
            self.job,
            image=folder / "0",
            local_labels=self.job.local_labels / str(image),
            nuclei=folder / "labels" / "nuclei" / "0",
            cells=folder / "labels" / "cells" / "0",
            grid=self.stack.grid(image),
            first_block=self.stack.first_block(image),
            plane=image if self.are_planes else 0,
        )


def quantify_block_of_many(many: ManyQuantifyJob, index: int) -> BlockResult:
    """Write and measure one block of all; places are those in its own image."""
    place = many.stack.locate(index)
    return quantify_block(many.of(place.image), place.index)
