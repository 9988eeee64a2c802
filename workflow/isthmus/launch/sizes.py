"""What the plan needs to know of sizes that neither the configuration nor the headers of images say."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.blocks.grid import Triple
from isthmus.config.models import Settings
from isthmus.image.source import ImageHeader, PointsPart
from isthmus.image.survey import ChannelSurvey
from isthmus.plan.machine import Machine
from isthmus.plan.make import Borders
from isthmus.quantify.grow import growth_halo_px
from isthmus.quantify.measure import margin_px
from isthmus.segment.methods import make_method
from isthmus.segment.size import MOST_UM
from isthmus.steps.survey_image import with_measured_diameter

_MB = 1 << 20
_LOOK_BYTES = 1 << 20
_TEXT = (".csv", ".tsv", ".txt")


def this_machine(cores: int | None = None) -> Machine:
    """The machine that this process runs on; a run may use so many of its cores, or all."""
    return Machine(cores=cores or os.cpu_count() or 1, memory_mb=psutil.virtual_memory().total // _MB)


def borders_of(settings: Settings, header: ImageHeader) -> Borders:
    """What blocks read beyond what they write. A method's border does not depend on what the pixels are.

    Where the survey will measure how large nuclei are, the border is that of the largest it may find.
    """
    is_volume = header.shape[1] > 1
    spacing_um = (header.z_step_um, *header.affine.pixel_size_um)
    growth = growth_halo_px(settings.cells.expand_um, spacing_um, is_volume=is_volume)
    measured = margin_px(is_volume)
    growth_px: Triple = (growth[0] + measured[0], growth[1] + measured[1], growth[2] + measured[2])
    if settings.segmentation.method == "labels":
        return Borders(growth_px=growth_px)
    options = settings.segmentation
    if options.method == "basins" and options.basins.measure_diameter:
        options = with_measured_diameter(options, {"nucleus_diameter_um": MOST_UM})
    # Two values stand in for the histogram that the survey will find.
    histogram = np.zeros(65536, dtype=np.int64)
    histogram[[100, 1000]] = 1
    method = make_method(
        options,
        channels=header.channels,
        surveys=[ChannelSurvey(histogram)] * len(header.channels),
        spacing_um=spacing_um,
    )
    return Borders(method.halo_px, method.lattice_px, growth_px)


def count_transcripts(points: PointsPart) -> int | None:
    """Rows of the transcripts, as the reader expects them; None where nothing tells.

    Else those of the files: exact for Parquet, from the first megabyte for text.
    """
    if points.expected_rows is not None:
        return points.expected_rows
    counts = [_rows_of(file) for file in points.files]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _rows_of(file: Path) -> int | None:
    if file.suffix == ".parquet":
        try:
            return int(pq.read_metadata(file).num_rows)
        except (pa.ArrowInvalid, OSError):
            return None
    suffix = file.with_suffix("").suffix if file.suffix == ".gz" else file.suffix
    return _rows_of_text(file) if suffix in _TEXT else None


def _rows_of_text(file: Path) -> int | None:
    """Lines a byte of the file's beginning, times its size."""
    with file.open("rb") as stream:
        head = stream.read(_LOOK_BYTES)
    if file.suffix == ".gz":
        try:
            text = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(head)
        except zlib.error:
            return None
    else:
        text = head
    size = file.stat().st_size
    lines = text.count(b"\n")
    return max(0, lines - 1) if size <= len(head) else round(lines * size / len(head))
