"""Make the plan: a pure function of image headers, configuration and machine, and of the plan there was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from isthmus import __version__
from isthmus.blocks.grid import Grid, Region, Triple
from isthmus.image.source import ImageHeader, Layout
from isthmus.plan.digests import cohort_digests, sample_digests
from isthmus.plan.layout import block_shape, check_block
from isthmus.plan.machine import Machine
from isthmus.plan.model import ImagePlan, RunPlan, SamplePlan, with_own
from isthmus.plan.predict import default_packs, predict
from isthmus.plan.size import Size, expected_instances
from isthmus.plan.windows import part_in_use

_DESCRIBING = ("batch", "condition", "image_accession", "omics_accession", "biosample", "extra")


@dataclass(frozen=True)
class Borders:
    """What a block reads beyond its write region (z, y, x): in pass 1, and in pass 2; and the method's bins."""

    halo_px: Triple = (0, 0, 0)
    bin_px: Triple = (1, 1, 1)
    growth_px: Triple = (0, 0, 0)


@dataclass(frozen=True)
class SampleInput:
    """What the head knows of a sample from its row and its files' headers.

    sheet is the row as JSON, inputs the digest of each kind of files (`image`, `transcripts`, `labels`; `counts` of
    spots beside an image, or of a sample without one). n_transcripts is the number of rows, as far as it can be told
    without reading them. A sample of many images lists them; header is then that of the largest. n_values are the
    values above 0 of a table of counts, reads_mb and reference_mb the sizes of FASTQ files and of what they are looked
    up in, points_mb the memory that reading transcripts takes beside a batch. own are the options, by section, in which
    it differs from the configuration.
    """

    sheet: Mapping[str, Any]
    where: str
    header: ImageHeader
    inputs: Mapping[str, str]
    reader: str
    notes: tuple[str, ...] = ()
    tested_on_real_files: bool = True
    n_vendor_cells: int | None = None
    borders: Borders = Borders()
    n_transcripts: int | None = None
    own: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    images: tuple[ImagePlan, ...] = ()
    layout: Layout = "image"
    plane_step_um: float | None = None
    held_mb: float = 0.0
    n_values: int = 0
    reads_mb: float = 0.0
    points_mb: float = 0.0
    reference_mb: float = 0.0

    @property
    def n_images(self) -> int:
        """Images of the sample."""
        return len(self.images) or 1


@dataclass(frozen=True)
class OmicsInput:
    """What the head knows of a table of other omics: digest of its file, and about how many values it has."""

    digest: str
    n_values: int


def make_plan(
    settings: Mapping[str, Any],
    samples: Mapping[str, SampleInput],
    *,
    reference: str | None,
    machine: Machine,
    gates: str | None = None,
    previous: RunPlan | None = None,
    omics: Mapping[str, OmicsInput] | None = None,
) -> RunPlan:
    """Plan a run.

    Parameters
    ----------
    settings
        The configuration as JSON.
    samples
        By name.
    reference
        Digest of the annotation's reference, if there is one.
    gates
        Digest of its marker table, if there is one.
    machine
        What it will run on; it changes packs and predictions only.
    previous
        The plan of an earlier run in the same folder. Its packs are kept where nothing asks for others.
    omics
        The tables of other omics, by name.
    """
    planned = {
        name: _plan_sample(settings, sample, machine, (previous.samples if previous else {}).get(name))
        for name, sample in samples.items()
    }
    genome = next((of.inputs["genome"] for of in samples.values() if "genome" in of.inputs), None)
    given = {"reference": reference, "gates": gates, "genome": genome}
    cohort = cohort_digests(
        settings,
        samples={name: sample.digests for name, sample in planned.items()},
        inputs={key: digest for key, digest in given.items() if digest},
        omics={name: table.digest for name, table in (omics or {}).items()},
    )
    return RunPlan(
        isthmus=__version__,
        settings=dict(settings),
        machine=machine,
        samples=planned,
        cohort=cohort,
        rules=predict(
            planned,
            settings,
            machine,
            rules=cohort,
            omics_values=sum(table.n_values for table in (omics or {}).values()),
        ),
    )


def _plan_sample(
    settings: Mapping[str, Any], sample: SampleInput, machine: Machine, previous: SamplePlan | None
) -> SamplePlan:
    settings = with_own(settings, sample.own)
    header, window, images = part_in_use(
        sample.header, sample.images, sample.layout, settings["image"]["region_um"], where=sample.where
    )
    sample = replace(sample, header=header, images=images)
    block_px = block_shape(settings["execution"]["block_px"], window.shape, sample.n_images)
    digests = _digests(settings, sample, window, block_px)
    if settings["execution"]["block_px"] is None and _same("import_image", digests, previous):
        assert previous is not None
        block_px = previous.block_px
        digests = _digests(settings, sample, window, block_px)
    check_block(block_px, window.shape)
    grid, spacing_um = Grid(window.shape, block_px), (header.z_step_um, *header.affine.pixel_size_um)
    n_instances = sample.n_vendor_cells if window.shape == header.shape[1:] else None
    if n_instances and sample.layout == "planes":  # a row for each plane that a cell is cut in
        n_instances *= sample.n_images
    plan = SamplePlan(
        sheet=dict(sample.sheet),
        reader=sample.reader,
        notes=sample.notes,
        tested_on_real_files=sample.tested_on_real_files,
        shape=header.shape,
        dtype=header.dtype,
        channels=header.channels,
        affine=header.affine.numbers(),
        z_step_um=header.z_step_um,
        steps_per_unit=header.steps_per_unit,
        window_start=window.start,
        window_stop=window.stop,
        grid=grid,
        packs=1,
        n_images=sample.n_images,
        images=sample.images,
        layout=sample.layout,
        plane_step_um=sample.plane_step_um,
        held_mb=sample.held_mb,
        halo_px=sample.borders.halo_px,
        bin_px=sample.borders.bin_px,
        growth_px=sample.borders.growth_px,
        has_image="image" in sample.inputs,
        has_points="transcripts" in sample.inputs,
        has_spots={"image", "counts"} <= sample.inputs.keys(),
        n_transcripts=sample.n_transcripts,
        n_instances=n_instances or expected_instances(settings, window, spacing_um, sample.n_images),
        n_vendor_cells=sample.n_vendor_cells,
        n_values=sample.n_values,
        reads_mb=sample.reads_mb,
        points_mb=sample.points_mb,
        reference_mb=sample.reference_mb,
        own=dict(sample.own),
        digests=digests,
    )
    packs = settings["execution"]["packs"]
    if packs is None and _same("segment_pack", digests, previous):
        assert previous is not None
        packs = previous.packs
    if packs is None:
        packs = default_packs(Size.of(plan, settings), plan.n_blocks, machine)
    return plan.model_copy(update={"packs": min(packs, plan.n_blocks)})


def _same(step: str, digests: Mapping[str, str], previous: SamplePlan | None) -> bool:
    """Whether there was a plan in which this step was to make the same."""
    return previous is not None and step in digests and previous.digests.get(step) == digests[step]


def _digests(
    settings: Mapping[str, Any], sample: SampleInput, window: Region, block_px: Triple
) -> dict[str, str]:
    header = sample.header
    used: Any = [window.start, window.stop]
    place: Any = header.affine.numbers()
    sheet = {key: sample.sheet.get(key) for key in _DESCRIBING}
    if sample.images:
        used = [
            [image.path, image.shape, *([image.start] if any(image.start) else [])] for image in sample.images
        ]
        place = [image.affine for image in sample.images]
        sheet["images"] = [[image.name, image.columns] for image in sample.images]
    return sample_digests(
        settings,
        inputs=sample.inputs,
        geometry={
            "window": used,
            "affine": place,
            "z_step_um": sample.plane_step_um or header.z_step_um,
            "spacing_um": (header.z_step_um, *header.affine.pixel_size_um),
            "channels": header.channels,
            "steps_per_unit": header.steps_per_unit,
            "block_px": block_px,
            "layout": sample.layout,
            "names": [image.name for image in sample.images],
        },
        sheet=sheet,
    )
