"""What the head learns of the samples from their rows and their files' headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from isthmus.config.models import Settings
from isthmus.config.samples import Sample, read_samples
from isthmus.config.use_cases import INPUTS, USE_CASES
from isthmus.errors import UserError, UserErrors, raise_all
from isthmus.image.source import ImagePart, NamedImage, SampleParts
from isthmus.launch.cell_types import check_cell_types
from isthmus.launch.counts import describe_counts
from isthmus.launch.many_images import check_images
from isthmus.launch.sizes import borders_of, count_transcripts
from isthmus.plan.identity import digest_of, files_digest
from isthmus.plan.make import SampleInput
from isthmus.plan.model import ImagePlan
from isthmus.readers.registry import detect_reader, read_sample
from isthmus.segment.methods import channel_index
from isthmus.steps.quantify_pack import guide_channel, measured_channels

OF_SPOTS = ("spaceranger", "st_array")
"""Readers of counts with places."""

LEAST_UM = 0.001
"""Smallest size of a pixel: lengths are counted in whole nanometres."""


def gather_inputs(settings: Settings) -> dict[str, SampleInput]:
    """Open every sample of the sheet; all faults of all samples at once."""
    found: dict[str, SampleInput] = {}
    faults: list[UserError] = []
    for row in read_samples(settings.samples):
        sample = _told(settings, row)
        try:
            _check_columns(settings, sample)
            if not USE_CASES[settings.use_case].may_show_images:
                found[sample.sample] = describe_counts(settings, sample)
                continue
            _check_reader(settings, sample)
            parts = read_sample(sample)
            own = _own(settings, sample, parts)
            settled = _settled(settings, own)
            _check_spacing(parts.image, sample)
            _check_values(settings, parts.image, sample)
            check_images(parts, sample)
            _check_channels(settled, parts.image, sample)
            _check_labels(settled, parts, sample)
            _check_inputs(settings, parts, sample)
            check_cell_types(settings, parts, sample)
            found[sample.sample] = replace(_describe(settled, sample, parts), own=own)
        except UserErrors as error:
            faults.extend(error.errors)
        except UserError as error:
            faults.append(error)
    raise_all(faults)
    return found


def reference_digest(settings: Settings) -> str | None:
    """Digest of the annotation's reference, if there is one."""
    options = settings.analysis.annotation
    if options.reference is None:
        return None
    beside = (
        options.reference.parent.glob("*.tsv*") if options.reference.name.startswith("matrix.mtx") else ()
    )
    types = [options.reference_types] if options.reference_types else []
    return files_digest([options.reference, *sorted(beside), *types])


def gates_digest(settings: Settings) -> str | None:
    """Digest of the marker table that cell types are found by, if there is one."""
    path = settings.analysis.gating.gates
    return files_digest([path]) if path else None


def _told(settings: Settings, sample: Sample) -> Sample:
    """The row, with what the configuration tells readers."""
    columns = settings.quantification.columns.model_dump(exclude_none=True)
    image = settings.image
    told = {"z": image.z, "columns": columns, "panel": image.panel, "steps_per_unit": image.steps_per_unit}
    return sample.model_copy(update=told)


def _own(settings: Settings, sample: Sample, parts: SampleParts) -> dict[str, dict[str, Any]]:
    """The options in which a sample differs from the configuration: its own method; imported cells don't grow."""
    own: dict[str, dict[str, Any]] = {}
    method = sample.segmentation or settings.segmentation.method
    if method != settings.segmentation.method:
        own["segmentation"] = {"method": method}
    show = settings.segmentation.labels.show
    if method == "labels" and (parts.labels_show if show == "auto" else show) == "cells":
        own["cells"] = {"expand_um": 0.0}
    return own


def _settled(settings: Settings, own: Mapping[str, Mapping[str, Any]]) -> Settings:
    """The configuration as it holds for a sample."""
    sections = {name: getattr(settings, name).model_copy(update=options) for name, options in own.items()}
    return settings.model_copy(update=sections)


def _describe(settings: Settings, sample: Sample, parts: SampleParts) -> SampleInput:
    inputs = {"image": _image_digest(parts.image)}
    if settings.image.panel is not None:
        inputs["panel"] = files_digest([settings.image.panel])
    if parts.points is not None:
        inputs["transcripts"] = files_digest(parts.points.files)
    if parts.spots is not None:
        inputs["counts"] = files_digest(parts.spots.files)
    if parts.labels is not None:
        inputs["labels"] = _image_digest(parts.labels)
    elif parts.polygons is not None:
        header = parts.image.header
        painted = [header.affine.numbers(), header.shape[1:], parts.polygons.only_plane]
        inputs["labels"] = digest_of([files_digest(parts.polygons.files), painted])
    if sample.structures is not None:
        inputs["structures"] = files_digest([sample.structures])
    plate_map = settings.analysis.profiles.plate_map
    if parts.layout == "plate" and plate_map is not None:
        inputs["plate_map"] = files_digest([plate_map])
    return SampleInput(
        sheet=sample.model_dump(mode="json"),
        where=sample.where,
        header=parts.image.header,
        inputs=inputs,
        reader=parts.reader,
        notes=parts.notes,
        tested_on_real_files=parts.tested_on_real_files,
        n_vendor_cells=parts.n_vendor_cells,
        borders=borders_of(settings, parts.image.header),
        n_transcripts=count_transcripts(parts.points) if parts.points is not None else None,
        points_mb=parts.points.beside_mb if parts.points is not None else 0.0,
        images=tuple(_describe_image(image) for image in parts.images),
        layout=parts.layout,
        plane_step_um=parts.plane_step_um,
        held_mb=parts.image.held_mb,
    )


def _describe_image(image: NamedImage) -> ImagePlan:
    header = image.part.header
    return ImagePlan(
        path=image.path,
        name=image.name,
        shape=header.shape[1:],
        affine=header.affine.numbers(),
        columns=dict(image.columns),
    )


def _image_digest(image: ImagePart) -> str:
    """Digest of the files of an image, of its name where they hold several, and of what was made of their planes."""
    files, told = files_digest(image.files), [word for word in (image.inside, image.made) if word]
    return digest_of([files, *told]) if told else files


def _check_values(settings: Settings, image: ImagePart, sample: Sample) -> None:
    """Fractions have no levels to count; which values matter, only the user knows."""
    dtype = np.dtype(image.header.dtype)
    if image.header.steps_per_unit != 1.0 and settings.image.intensity_range is not None:
        raise UserError(
            where="image.intensity_range",
            found=f"sample '{sample.sample}' is stored in steps of 1/{image.header.steps_per_unit:g} already",
            do="leave intensity_range out; image.steps_per_unit sets the steps",
        )
    if dtype.kind == "f" and settings.image.intensity_range is None:
        raise UserError(
            where=f"{sample.where}, image '{sample.image}'",
            found=f"the pixels are of type {dtype.name}",
            do="give image.steps_per_unit (100 keeps counts to a hundredth) or image.intensity_range (the values that"
            " become 0 and 65535), or save whole numbers",
        )


def _check_spacing(image: ImagePart, sample: Sample) -> None:
    least = min(image.header.z_step_um, *image.header.affine.pixel_size_um)
    if least < LEAST_UM:
        raise UserError(
            where=sample.where,
            found=f"pixels of {least:g} um are smaller than a nanometre",
            do="give sizes in micrometres (columns pixel_size_um, z_step_um, affine)",
        )


def _check_channels(settings: Settings, image: ImagePart, sample: Sample) -> None:
    try:
        measured_channels(image.header.channels, settings.quantification.channels)
        guide_channel(image.header.channels, settings.cells.guide)
        if settings.segmentation.method != "labels":
            channel_index(settings.segmentation, image.header.channels)
    except UserError as error:
        raise UserError(
            where=error.where, found=f"{error.found}, image of {sample.where}", do=error.do
        ) from None


def _check_columns(settings: Settings, sample: Sample) -> None:
    """A file that nothing reads is a slip of the pen."""
    given = [name for name in INPUTS if getattr(sample, name) is not None]
    USE_CASES[settings.use_case].check_columns(given, sample.where)


def _check_reader(settings: Settings, sample: Sample) -> None:
    """Counts of spots and bins need a reader that knows where these lie."""
    name = sample.reader or detect_reader(sample)
    if USE_CASES[settings.use_case].rows == "spots" and name not in OF_SPOTS:
        raise UserError(
            where=sample.where,
            found=f"reader {name} does not know where counts were taken"
            if sample.reader
            else "nothing tells where its counts were taken",
            do="name a folder of Space Ranger in column counts, or in column reader what the files are of: "
            + " or ".join(OF_SPOTS),
        )


def _check_inputs(settings: Settings, parts: SampleParts, sample: Sample) -> None:
    has = {
        "image": parts.image is not None,
        "transcripts": parts.points is not None,
        "counts": sample.counts is not None,
    }
    use_case = USE_CASES[settings.use_case]
    use_case.check_inputs([name for name, there in has.items() if there], sample.where)
    if parts.spots is not None and use_case.rows != "spots":
        raise UserError(
            where=sample.where,
            found=f"its counts are of spots, which use case {use_case.name} does not know",
            do="choose use_case spots",
        )


def _check_labels(settings: Settings, parts: SampleParts, sample: Sample) -> None:
    if sample.labels and settings.results and sample.labels.is_relative_to(settings.results):
        raise UserError(
            where=f"{sample.where}, column labels",
            found=f"'{sample.labels}' lies in the results folder of this very run, which writes there",
            do="give another results folder, or copy the labels elsewhere",
        )
    if settings.segmentation.method == "labels" and parts.labels is None and parts.polygons is None:
        raise UserError(
            where=sample.where,
            found="segmentation.method is 'labels', but column labels is empty and no vendor's cells are there",
            do="name a label image of the image's shape there, or a file of outlines",
        )
