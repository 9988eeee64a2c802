"""build_table: add up the partial sums of all blocks, and give every transcript its cell."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
from anndata import AnnData

from isthmus import __version__
from isthmus.blocks.lookup import read_given
from isthmus.config.models import Settings
from isthmus.config.panel import read_panel
from isthmus.config.use_cases import USE_CASES
from isthmus.errors import UserError
from isthmus.image.source import SampleParts
from isthmus.image.survey import ChannelSurvey
from isthmus.readers.registry import read_sample
from isthmus.steps.block_records import BlockRecords
from isthmus.steps.cell_images import cell_images
from isthmus.steps.import_transcripts import BATCH_ROWS
from isthmus.steps.job import Job, read_json, write_json
from isthmus.steps.quantify_pack import measured_channels, measures_of
from isthmus.steps.sheet import settings_of, sheet_columns, sheet_sample
from isthmus.steps.spot_window import inside_window
from isthmus.steps.spots import spots_of
from isthmus.steps.stored import describe_shards
from isthmus.tables.agreement import TranscriptTally, vendor_cells_by_plane
from isthmus.tables.cells import cell_index, make_table, write_table
from isthmus.tables.complete import complete_cells
from isthmus.tables.counts import alphabetical, count_tables, is_control, merge_counts
from isthmus.tables.merge import CellSums, merge_sums
from isthmus.tables.transcripts import Assignment, TranscriptWriter, note_states, with_cells
from isthmus.tables.vendor_columns import add_fields, add_names

_PARAMETERS = ("image", "segmentation", "cells", "quantification")


def build_table(job: Job) -> None:
    """Write the table before quality control, transcripts.parquet, and the numbers of the report."""
    plan, paths = job.sample, job.sample_paths
    settings = settings_of(job.plan, job.sample)
    records = BlockRecords(job)
    sums = merge_sums(records)
    measures = measures_of(settings.quantification)
    measured = measured_channels(plan.channels, settings.quantification.channels)
    is_imported = settings.segmentation.method == "labels"
    # Images of which there are many have nothing more to tell: to open them all takes time.
    is_read = not plan.images or plan.has_points or is_imported
    parts = read_sample(sheet_sample(plan)) if is_read else None
    counts = None
    numbers: dict[str, Any] = {"n_cells": int(sums.ids.size)}
    if plan.has_points:
        points = read_json(paths.record("import_transcripts"))
        counts = count_tables(
            merge_counts(records, ids=sums.ids, place=alphabetical(points["genes"])),
            features=points["genes"],
            control_patterns=settings.quantification.control_patterns,
            index=cell_index(job.sample_name, sums),
        )
        numbers["transcripts"] = _write_transcripts(job, parts, records, points, sums)
    spots = parts.spots if parts and not plan.images else None
    record = _record(job)
    table = make_table(
        sums,
        counts,
        sample=job.sample_name,
        channels=[plan.channels[i] for i in measured],
        affine=plan.window_affine,
        z_step_um=plan.z_step_um,
        is_volume=plan.grid.shape[0] > 1,
        columns=sheet_columns(plan),
        record=record,
        completed=complete_cells(records, sums.ids, measures),
        measures=measures,
        backgrounds=_backgrounds(job, measured),
        steps_per_unit=plan.steps_per_unit,
        # Molecules were counted in spots, not in nuclei.
        values="intensities" if spots else USE_CASES[settings.use_case].x,
        compartment=settings.quantification.compartment,
        roles=read_panel(settings.image.panel).role_of if settings.image.panel else {},
        images=cell_images(job),
    )
    _add_vendor_columns(table, job, parts, settings)
    write_table(table, paths.raw_table)
    if spots is not None:
        read = spots.table()
        used = inside_window(read, plan)
        write_table(spots_of(job, spots, used, table, sheet_columns(plan), record), paths.raw_spots)
        numbers["spots"] = {"n": len(read.names), "in_window": len(used.names)}
    numbers["shards"] = describe_shards(job.paths.root, paths.transcripts)
    job.n_files += len(numbers["shards"])
    write_json(paths.record("build_table"), numbers)


def _record(job: Job) -> dict[str, str]:
    """What made the table."""
    settings = job.sample.settings(job.plan.settings)
    return {
        "version": __version__,
        "digest": job.digest,
        "parameters": json.dumps({key: settings[key] for key in _PARAMETERS}, sort_keys=True),
    }


def _add_vendor_columns(table: AnnData, job: Job, parts: SampleParts | None, settings: Settings) -> None:
    """Names of imported cells and fields of view, where the vendor's files have them; ids that are not ours."""
    if parts is None:
        return
    if settings.segmentation.method == "labels":
        names = parts.polygons.names() if parts.polygons and parts.polygons.names else {}
        given = read_given(job.sample_paths.lookup)
        if given is not None:
            names = {
                number: names.get(name, str(name)) for number, name in enumerate(given.tolist(), start=1)
            }
        if names:
            add_names(table, names)
    if parts.fields and not job.sample.images:
        add_fields(table, parts.fields)


def _backgrounds(job: Job, channels: Sequence[int]) -> list[int]:
    """Background of each measured channel, from the exact histogram of the image."""
    with np.load(job.sample_paths.histograms) as stored:
        histograms = stored["histograms"]
    return [ChannelSurvey(histograms[channel]).background() for channel in channels]


def _write_transcripts(
    job: Job, parts: SampleParts | None, records: BlockRecords, points: dict[str, Any], sums: CellSums
) -> dict[str, Any]:
    plan, paths, options = job.sample, job.sample_paths, settings_of(job.plan, job.sample).quantification
    source = parts.points if parts else None
    if source is None:
        raise UserError(
            where=str(plan.sheet["where"]), found="there are no transcripts", do="see column transcripts"
        )
    names = points["genes"]
    controls = frozenset(
        n for n, c in zip(names, is_control(names, options.control_patterns), strict=True) if c
    )
    tally = TranscriptTally(controls=controls, min_qv=options.min_qv)
    folder = paths.work / "states.partial"
    shutil.rmtree(folder, ignore_errors=True)
    note_states(folder, paths.points, zip(plan.points_regions, records, strict=True), sums.ids)
    assignment = Assignment(folder, paths.points, sums.ids, points["n_rows"])
    writer = TranscriptWriter(paths.transcripts)
    for batch, rows in with_cells(source.batches(BATCH_ROWS), assignment):
        writer.write(batch)
        seen = vendor_cells_by_plane(batch, plan.plane_step_um) if plan.plane_step_um else batch
        tally.add(seen, rows.compartment, rows.inside)
    writer.finish()
    shutil.rmtree(folder)
    # What the vendor says of the whole image does not count where only a window of it is used.
    whole = plan.window.shape == plan.shape[1:]
    whole = whole and plan.layout != "planes"  # where a cell counts in each plane
    return tally.summary(n_cells=int(sums.ids.size), n_vendor_cells=plan.n_vendor_cells if whole else None)
