"""A method that says which device a worker sees; and pass 1 of a pack with it, as a job does it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from isthmus.blocks.grid import Triple
from isthmus.config.segmentation import BasinsOptions
from isthmus.image.survey import ChannelSurvey
from isthmus.segment import basins
from isthmus.segment.method import Landscape, LandscapeMethod, Pixels
from isthmus.segment.methods import METHODS
from isthmus.steps.job import Job
from isthmus.steps.segment_pack import segment_pack

SEEN = "SEEN_DEVICES"


@dataclass(frozen=True)
class Watched:
    """Another method, which notes in a folder what device there is."""

    inner: LandscapeMethod
    folder: Path

    @property
    def channel(self) -> int:
        """As the other's."""
        return self.inner.channel

    @property
    def halo_px(self) -> Triple:
        """As the other's."""
        return self.inner.halo_px

    @property
    def lattice_px(self) -> Triple:
        """As the other's."""
        return self.inner.lattice_px

    @property
    def merge_radius_px(self) -> tuple[float, float, float]:
        """As the other's."""
        return self.inner.merge_radius_px

    def landscape(self, pixels: Pixels) -> Landscape:
        """The other's."""
        (self.folder / f"{os.getpid()}.{os.environ.get('CUDA_VISIBLE_DEVICES', 'none')}").touch()
        return self.inner.landscape(pixels)


def make_method(
    options: BasinsOptions, *, channel: int, survey: ChannelSurvey, spacing_um: tuple[float, float, float]
) -> Watched:
    """Basins, watched."""
    made = basins.make_method(options, channel=channel, survey=survey, spacing_um=spacing_um)
    return Watched(made, Path(os.environ[SEEN]))


def main(results: str, pack: str) -> None:
    """One pack of sample `a`, with a method that needs GPUs."""
    BasinsOptions.needs_gpu = True
    METHODS["basins"] = "slurm.on_gpu"
    record = f"{results}/work/a/segment_pack/{pack}.json"
    with Job(
        "segment_pack",
        results=results,
        log_file=f"{results}/gpu.log",
        outputs=[record],
        sample="a",
        pack=pack,
    ) as job:
        segment_pack(job, workers=8)


if __name__ == "__main__":
    main(*sys.argv[1:])
