"""The drawn structures of a sample, such as the outline of a tumour."""

from __future__ import annotations

from typing import Any

from isthmus.config.analysis import SpatialOptions
from isthmus.image.affine import Affine
from isthmus.plan.model import SamplePlan
from isthmus.steps.sheet import sheet_sample


def structures_of_sample(plan: SamplePlan, options: SpatialOptions) -> dict[str, Any] | None:
    """Structures by class in the sample's micrometres; None where the sample sheet names none."""
    sample = sheet_sample(plan)
    if sample.structures is None:
        return None
    # Here, because most samples have none, and shapely takes its time to load.
    from isthmus.readers.structures import read_structures

    return read_structures(
        sample.structures,
        unit=options.structures_unit,
        affine=Affine(*plan.affine),
        shape=plan.shape[2:],
        where=sample.where,
    )
