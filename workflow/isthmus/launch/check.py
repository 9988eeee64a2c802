"""Checks before anything is written: what would make the run fail later is told now, in seconds."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from isthmus.blocks.grid import Region
from isthmus.config.samples import Sample
from isthmus.errors import UserError, UserErrors, did_you_mean, raise_all
from isthmus.image.affine import Affine
from isthmus.image.source import ImagePart, NamedImage, SampleParts
from isthmus.launch.omics import omics_faults
from isthmus.launch.run import Run
from isthmus.plan.model import SamplePlan
from isthmus.readers.registry import read_sample
from isthmus.segment.imported import check_ids
from isthmus.segment.polygons import check_polygons
from isthmus.steps.import_transcripts import no_overlap
from isthmus.steps.sheet import settings_of, sheet_columns, sheet_sample
from isthmus.steps.spot_window import inside_window
from isthmus.steps.structures import structures_of_sample

_FIRST_ROWS = 50_000
_LOOK_PX = 64
_LOOK_IMAGES = 15
_LEAST_ROOM = 1 << 18

Checked = TypeVar("Checked")


def check_run(run: Run) -> None:
    """Raise every fault that can be found without reading the inputs through."""
    raise_all([*_faults_of(_check_inputs, run), *_faults_of(check_writable, run.paths.root)])


def _faults_of(check: Callable[[Checked], None], what: Checked) -> Sequence[UserError]:
    """What a check finds, as a list."""
    try:
        check(what)
    except UserErrors as error:
        return error.errors
    except UserError as error:
        return [error]
    return []


def _check_inputs(run: Run) -> None:
    faults: list[UserError] = []
    for plan in run.plan.samples.values():
        if not plan.has_image:
            continue
        try:
            parts = read_sample(sheet_sample(plan))
            _check_overlap(parts, sheet_sample(plan), plan)
            structures_of_sample(plan, run.settings.analysis.spatial)
            if parts.spots is not None:
                inside_window(parts.spots.table(), plan)
            if settings_of(run.plan, plan).segmentation.method != "labels":
                continue
            if parts.images and parts.layout != "planes":
                _check_label_images(parts.images, plan)
            elif parts.labels is not None:
                _check_labels(parts.labels, plan.points_window, str(plan.sheet["where"]))
            elif parts.polygons is not None:
                check_polygons(
                    parts.polygons,
                    affine=Affine(*plan.affine),
                    shape=plan.shape[1:],
                    where=str(plan.sheet["where"]),
                )
        except UserError as error:
            faults.append(error)
    raise_all([*faults, *(fault for check in _OF_ALL for fault in _faults_of(check, run))])


def _check_tables(run: Run) -> None:
    """The tables that the configuration names."""
    sheet = {name: sheet_columns(plan) for name, plan in run.plan.samples.items()}
    analysis = run.settings.analysis
    plates = analysis.profiles.plate_map
    omics = omics_faults(analysis.omics, list(sheet), sheet=sheet, plate_map=plates)
    if analysis.annotation.reference is None and plates is None:
        raise_all(list(omics))
        return
    # Here, because most runs name neither, and every command would load pandas.
    from isthmus.launch.analysis_inputs import analysis_faults

    raise_all([*analysis_faults(run.settings, run.plan), *omics])


def _check_planes(run: Run) -> None:
    """Cells of planes and of volumes have no common table."""
    planes = {name: plan.shape[1] for name, plan in run.plan.samples.items()}
    flat = [name for name, n in planes.items() if n == 1]
    deep = [name for name, n in planes.items() if n > 1]
    if flat and deep:
        raise UserError(
            where=f"{run.settings.samples}, sample {deep[0]}",
            found=f"{planes[deep[0]]} planes, while sample {flat[0]} has one",
            do="analyse flat and three-dimensional samples in runs of their own",
        )


def _check_batches(run: Run) -> None:
    """The column that names batches has a value for every sample, or is empty."""
    wanted = run.settings.analysis.integration.batch_column
    columns = {name: sheet_columns(plan) for name, plan in run.plan.samples.items()}
    without = [name for name, filled in columns.items() if not filled.get(wanted)]
    if len(without) == len(columns) and wanted != "batch":
        known = sorted({column for filled in columns.values() for column in filled})
        raise UserError(
            where="analysis.integration.batch_column",
            found=f"no column '{wanted}' is filled in the sample sheet",
            do=did_you_mean(wanted, known),
        )
    if without and len(without) < len(columns):
        raise UserError(
            where=f"{run.settings.samples}, sample {', '.join(without[:5])}",
            found=f"no value in column '{wanted}', which says which batch a sample is of",
            do="fill it for every sample, or for none",
        )


def _check_rows(run: Run) -> None:
    """A spot covers many cells: spots and cells have no common table."""
    samples = run.plan.samples
    with_spots = [name for name, plan in samples.items() if plan.has_spots]
    without = [name for name, plan in samples.items() if not plan.has_spots]
    if with_spots and without:
        raise UserError(
            where=f"{run.settings.samples}, sample {without[0]}",
            found=f"molecules are counted in its cells, while those of sample {with_spots[0]} are counted in spots",
            do="analyse spots and cells in runs of their own",
        )


_OF_ALL = (_check_planes, _check_rows, _check_batches, _check_tables)
"""Checks of all samples together."""


def _check_label_images(images: Sequence[NamedImage], plan: SamplePlan) -> None:
    """The same look at some of many label images: the first ones and the last."""
    part = {image.path: image.labels for image in images}
    for image in (*plan.images[:_LOOK_IMAGES], plan.images[-1]):
        labels = part.get(image.path)
        if labels is not None:
            window = Region((0, 0, 0), image.shape).moved(image.start)
            _check_labels(labels, window, f"{plan.sheet['where']}, image {image.name}")


def _check_labels(labels: ImagePart, window: Region, where: str) -> None:
    """A look at a corner and the middle, where a background that is not 0 shows; all ids are seen at the import."""
    start, stop = window.start, window.stop
    source = labels.open()
    for first in (start, tuple((a + b) // 2 for a, b in zip(start, stop, strict=True))):
        z, y, x = first
        looked = (slice(z, z + 1), slice(y, min(y + _LOOK_PX, stop[1])), slice(x, min(x + _LOOK_PX, stop[2])))
        check_ids(source.read(0, looked), (z, y, x), f"{where}, column labels")


def _check_overlap(parts: SampleParts, sample: Sample, plan: SamplePlan) -> None:
    """Some transcript must lie in the image; as a rule the first rows show it, and only they are read."""
    points = parts.points
    if points is None:
        return
    affine = Affine(*plan.affine)
    n_rows, low, high = 0, np.full(2, np.inf), np.full(2, -np.inf)
    for batch in points.batches(_FIRST_ROWS):
        x_um, y_um = (batch.column(name).to_numpy(zero_copy_only=False) for name in ("x_um", "y_um"))
        column, row = affine.to_px(x_um, y_um)
        if ((column >= 0) & (column < plan.shape[3]) & (row >= 0) & (row < plan.shape[2])).any():
            return
        n_rows += batch.num_rows
        if batch.num_rows:
            low, high = np.minimum(low, [x_um.min(), y_um.min()]), np.maximum(high, [x_um.max(), y_um.max()])
    if n_rows == 0:
        raise UserError(where=sample.where, found="there are no transcripts", do="see column transcripts")
    raise no_overlap(where=sample.where, n_rows=n_rows, low=low, high=high, affine=affine, shape=plan.shape)


def check_writable(results: Path) -> None:
    """Whether the results folder can be made and written to; leaves nothing behind."""
    made: list[Path] = []
    try:
        for folder in reversed([results, *results.parents]):
            if not folder.exists():
                folder.mkdir()
                made.append(folder)
        with tempfile.NamedTemporaryFile(dir=results, prefix=".isthmus-") as file:
            file.write(bytes(_LEAST_ROOM))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(
            where=f"results '{results}'",
            found=f"cannot be written to ({reason})",
            do="give another folder with results, in the configuration or as `--set results=FOLDER`",
        ) from None
    finally:
        for folder in reversed(made):
            folder.rmdir()
