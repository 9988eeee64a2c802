"""Whether the way to cell types fits what was measured, told before the run."""

from __future__ import annotations

from isthmus.analyse.gates import check_markers, read_gates
from isthmus.config.models import Settings
from isthmus.config.samples import Sample
from isthmus.errors import UserError
from isthmus.image.source import SampleParts


def check_cell_types(settings: Settings, parts: SampleParts, sample: Sample) -> None:
    """Raise a UserError for gates on counts, a reference for intensities, or rules on markers that are not measured."""
    has_counts = parts.points is not None or sample.counts is not None
    reference, gates = settings.analysis.annotation.reference, settings.analysis.gating.gates
    if reference is not None and not has_counts:
        raise UserError(
            where="analysis.annotation.reference",
            found=f"profiles of counts, but {sample.where} has intensities only",
            do="name a marker table in analysis.gating.gates instead",
        )
    if gates is None:
        return
    where = f"analysis.gating.gates '{gates}'"
    if has_counts:
        raise UserError(
            where=where,
            found=f"rules for intensities, but {sample.where} has counts",
            do="give a reference in analysis.annotation.reference instead",
        )
    measured = settings.quantification.channels or parts.image.header.channels
    check_markers(read_gates(gates), measured, where=where)
