"""The plan of a run, as it stands in plan.json. Jobs read it; only the head makes it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from isthmus.blocks.grid import Grid, Region, Triple, pack_blocks
from isthmus.blocks.stack import Stack
from isthmus.errors import UserError
from isthmus.image.affine import Affine
from isthmus.image.pyramid import COARSEST_OF_MANY_PX
from isthmus.image.source import Layout
from isthmus.plan.layout import default_piece_px
from isthmus.plan.machine import Machine
from isthmus.plan.paths import pack_names, pack_number
from isthmus.plan.prediction import Prediction

PLAN_VERSION: Literal[2] = 2


def with_own(settings: Mapping[str, Any], own: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The configuration, with some options of some sections replaced."""
    return {**settings, **{section: {**settings[section], **options} for section, options in own.items()}}


class ImagePlan(BaseModel):
    """One of the images of a sample that has many; see `isthmus.image.source.NamedImage`.

    shape (z, y, x) is that of the part in use, to which affine belongs; start (z, y, x) is its first pixel in the input
    image. columns are what of it goes to the table.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    name: str
    shape: Triple
    affine: tuple[float, float, float, float, float, float]
    columns: dict[str, str] = {}
    start: Triple = (0, 0, 0)


class SamplePlan(BaseModel):
    """One sample: what its inputs are, how it is cut, and the digest of each of its steps.

    shape is that of the input image (c, z, y, x); window_start and window_stop (z, y, x) are the part in use, which
    is all that comes after the import: its blocks are `grid`. affine belongs to the input image. A sample of many
    images lists them: its blocks are those of `stack`, pairs (image, block) in this order; shape, grid and affine are
    then those of the largest. plane_step_um is the distance of images that are the planes of a stack. A sample without
    an image has a table of counts: shape and grid then mean nothing.

    halo_px, bin_px and growth_px (z, y, x) are the borders that a block of pass 1 and of pass 2 reads, and the pixels
    of a bin of the method. n_transcripts is the number of rows where the files tell or let it be guessed, n_instances
    how many are expected, held_mb what a process holds of an image whose format has no windows: all are for
    predictions only. own holds the options in which the sample differs from the configuration, by section. has_spots
    says that molecules were counted in spots of an array, which have a table of their own; the cells are then nuclei
    of the picture. points_mb is the memory that reading transcripts takes beside a batch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sheet: dict[str, Any]
    reader: str
    notes: tuple[str, ...]
    tested_on_real_files: bool
    shape: tuple[int, int, int, int]
    dtype: str
    channels: tuple[str, ...]
    affine: tuple[float, float, float, float, float, float]
    z_step_um: float
    steps_per_unit: float = 1.0
    window_start: Triple
    window_stop: Triple
    grid: Grid
    packs: int
    n_images: int = 1
    images: tuple[ImagePlan, ...] = ()
    layout: Layout = "image"
    plane_step_um: float | None = None
    held_mb: float = 0.0
    halo_px: Triple = (0, 0, 0)
    bin_px: Triple = (1, 1, 1)
    growth_px: Triple = (0, 0, 0)
    has_image: bool = True
    has_points: bool
    has_spots: bool = False
    n_transcripts: int | None = None
    n_instances: int = 0
    n_vendor_cells: int | None
    n_values: int = 0
    reads_mb: float = 0.0
    points_mb: float = 0.0
    reference_mb: float = 0.0
    own: dict[str, dict[str, Any]] = {}
    digests: dict[str, str]

    def settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration as it holds for this sample."""
        return with_own(settings, self.own)

    @property
    def window(self) -> Region:
        """The part of the input image in use."""
        return Region(self.window_start, self.window_stop)

    @property
    def points_shape(self) -> Triple:
        """Pixels (z, y, x) that transcripts are placed in: of the input image, or of the whole stack of its planes."""
        z, y, x = self.shape[1:]
        return (self.n_images, y, x) if self.layout == "planes" else (z, y, x)

    @property
    def points_window(self) -> Region:
        """The part of them in use."""
        if self.layout != "planes":
            return self.window
        return Region(self.window_start, (self.n_images, *self.window_stop[1:]))

    @property
    def points_regions(self) -> list[Region]:
        """What each block writes, as the binned transcripts know it: of the k-th plane of a stack with z from k on."""
        deep = self.layout == "planes"
        places = [self.stack.locate(block) for block in range(self.n_blocks)]
        return [
            place.grid.block(place.index).write.moved((place.image if deep else 0, 0, 0)) for place in places
        ]

    @property
    def block_px(self) -> Triple:
        """Shape of a block (z, y, x)."""
        return self.grid.block_px

    @property
    def window_affine(self) -> Affine:
        """Pixels of the image in use to micrometres."""
        return Affine(*self.affine).shifted(self.window_start[1], self.window_start[2])

    @property
    def spacing_um(self) -> tuple[float, float, float]:
        """Pixel spacing (z, y, x)."""
        return (self.z_step_um, *Affine(*self.affine).pixel_size_um)

    def place_of(self, block: int) -> str:
        """Where a block lies in the image in use, in pixels, in words."""
        place = self.stack.locate(block)
        region = place.grid.block(place.index).write
        sides = [
            f"{axis} {start} to {stop}"
            for axis, start, stop in zip("zyx", region.start, region.stop, strict=True)
            if axis != "z" or self.grid.shape[0] > 1
        ]
        of_image = [f"image {self.images[place.image].name}"] if self.images else []
        return ", ".join([*of_image, *sides])

    @property
    def shard_px(self) -> Triple:
        """Shape of a stored piece of the image (z, y, x)."""
        return default_piece_px(self.grid.shape, self.n_images)

    @cached_property
    def stack(self) -> Stack:
        """The blocks of all images."""
        if self.images:
            return Stack.of((image.shape for image in self.images), self.block_px)
        return Stack(((self.n_images, self.grid.shape),), self.block_px)

    @property
    def image_paths(self) -> tuple[str, ...]:
        """Where each image lies below the sample's store; the only one of a sample is the store."""
        return tuple(image.path for image in self.images) or ("",)

    @property
    def coarsest_px(self) -> int | None:
        """The longer side of an image's coarsest level; None for the usual one. Small images among many have one."""
        return COARSEST_OF_MANY_PX if self.images else None

    def affine_of(self, image: int) -> Affine:
        """Pixels of an image in use to micrometres."""
        return Affine(*self.images[image].affine) if self.images else self.window_affine

    def alone(self, image: int) -> SamplePlan:
        """The plan of one of many images as if it were a sample of its own, to be looked at."""
        shape = self.images[image].shape
        return self.model_copy(
            update={
                "shape": (self.shape[0], *shape),
                "window_start": (0, 0, 0),
                "window_stop": shape,
                "grid": self.stack.grid(image),
                "affine": self.images[image].affine,
                "n_images": 1,
                "images": (),
                "layout": "image",
            }
        )

    @property
    def n_blocks(self) -> int:
        """Blocks of all images."""
        return self.stack.n_blocks

    def blocks_of(self, pack: str) -> list[int]:
        """The blocks of a pack, by its name."""
        p, total = pack_number(pack)
        return pack_blocks(range(self.n_blocks), total)[p - 1]


class RunPlan(BaseModel):
    """The whole run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[2] = PLAN_VERSION
    isthmus: str
    settings: dict[str, Any]
    machine: Machine = Machine()
    samples: dict[str, SamplePlan]
    cohort: dict[str, str]
    rules: dict[str, Prediction]

    def sample(self, name: str) -> SamplePlan:
        """The plan of one sample."""
        return self.samples[name]

    def compared(self) -> dict[str, str]:
        """Samples that are there to be compared, and with which: the first of the same image, segmented otherwise.

        They have results of their own; the cohort has each image once.
        """
        first: dict[tuple[str, str], str] = {}
        made: dict[str, str] = {}
        for name, sample in self.samples.items():
            if not sample.has_image:
                continue
            pixels = (sample.digests["import_image"], sample.digests.get("import_transcripts", ""))
            other = first.setdefault(pixels, name)
            # the digest knows the label image too, the method alone does not
            if sample.digests.get("segment_pack") != self.samples[other].digests.get("segment_pack"):
                made[name] = other
        return made

    @property
    def cohort_samples(self) -> list[str]:
        """The samples whose cells make the cohort."""
        compared = self.compared()
        return [name for name in self.samples if name not in compared]

    @property
    def has_spots(self) -> bool:
        """Whether the cohort's rows are spots of an array: all samples have such, or none (`launch.check`)."""
        return any(sample.has_spots for sample in self.samples.values())

    def packs(self, name: str) -> list[str]:
        """Names of the packs of a sample."""
        return pack_names(self.samples[name].packs)

    def digest(self, step: str, sample: str = "") -> str:
        """What the result of a step depends on."""
        return self.samples[sample].digests[step] if sample else self.cohort[step]


def write_plan(plan: RunPlan, path: Path) -> None:
    """Write plan.json, whole or not at all; an equal plan is left untouched."""
    text = plan.model_dump_json(indent=1) + "\n"
    if path.exists() and path.read_bytes() == text.encode():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


def read_plan(path: Path) -> RunPlan:
    """Read plan.json."""
    try:
        return RunPlan.model_validate_json(path.read_text())
    except OSError as error:
        raise UserError(
            where=str(path),
            found=f"the plan cannot be read ({error.strerror})",
            do="start the run with `isthmus run`",
        ) from None
    except ValueError as error:
        raise UserError(
            where=str(path),
            found=f"the plan is damaged or of another version ({str(error).splitlines()[0]})",
            do="delete it and run again: it is made anew and finished work is kept",
        ) from None
