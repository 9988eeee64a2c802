"""Whether the files that the analysis names can be used: known cell types, and what is in the wells."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.analyse.describe import holds_cells
from isthmus.analyse.plate_map import controls_of, read_plate_map
from isthmus.analyse.reference import read_reference
from isthmus.analyse.reference_cells import read_types_table
from isthmus.config.analysis import AnnotationOptions
from isthmus.config.models import Settings
from isthmus.counts.headers import read_header
from isthmus.errors import UserError, did_you_mean
from isthmus.plan.model import RunPlan


def analysis_faults(settings: Settings, plan: RunPlan) -> Iterator[UserError]:
    """Faults of the reference and of the plate map; of counts headers are read, of other tables all."""
    try:
        _check_reference(settings.analysis.annotation)
    except UserError as error:
        yield error
    profiles = settings.analysis.profiles
    for name, sample in plan.samples.items():
        if sample.layout != "plate" or profiles.plate_map is None:
            continue
        wells = list(
            dict.fromkeys(image.columns["well"] for image in sample.images if "well" in image.columns)
        )
        try:
            described = read_plate_map(profiles.plate_map, sample=name, wells=wells)
            if profiles.controls is not None:
                controls_of(described, profiles.controls, f"plate map '{profiles.plate_map}'")
        except UserError as error:
            yield error


def _check_reference(options: AnnotationOptions) -> None:
    if options.reference is None:
        return
    where = f"analysis.annotation.reference '{options.reference}'"
    if not holds_cells(options.reference, options.reference_types):
        read_reference(options.reference, scale=options.reference_scale)
        return
    header = read_header(options.reference, where=where)
    if options.reference_types is not None:
        columns = tuple(map(str, read_types_table(options.reference_types, options.type_column).columns))
        where = f"analysis.annotation.reference_types '{options.reference_types}'"
    else:
        columns = header.columns
    if options.type_column not in columns:
        raise UserError(
            where=where,
            found=f"no column '{options.type_column}' that names the cells' types",
            do="set analysis.annotation.type_column or reference_types"
            f" ({did_you_mean(options.type_column, list(columns))})",
        )
