"""Whether the files that the analysis names can be used: known cell types, and what is in the wells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from isthmus.analyse.plate_map import controls_of, read_plate_map
from isthmus.analyse.reference import LEAST_SHARED, read_reference, too_few_shared
from isthmus.analyse.reference_types import holds_cells, read_types_table
from isthmus.config.analysis import AnnotationOptions
from isthmus.config.models import Settings
from isthmus.counts.gene_names import gene_names
from isthmus.counts.headers import read_header
from isthmus.errors import UserError, did_you_mean
from isthmus.plan.model import RunPlan


def analysis_faults(settings: Settings, plan: RunPlan) -> Iterator[UserError]:
    """Faults of the reference and of the plate map; of counts headers are read, of other tables all."""
    try:
        known = _check_reference(settings.analysis.annotation)
        if known is not None:
            _check_shared_genes(known, settings.analysis.annotation, plan)
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


def _check_reference(options: AnnotationOptions) -> Sequence[str] | None:
    """The genes of the reference, where there is one and they can be told."""
    if options.reference is None:
        return None
    where = f"analysis.annotation.reference '{options.reference}'"
    if not holds_cells(options.reference, options.reference_types):
        return read_reference(options.reference, scale=options.reference_scale).genes
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
    return gene_names(options.reference, where=where)


def _check_shared_genes(known: Sequence[str], options: AnnotationOptions, plan: RunPlan) -> None:
    """A reference that has hardly a gene of any table is of another species, or names genes otherwise."""
    tables = [sample.sheet["counts"] for sample in plan.samples.values() if not sample.has_image]
    named = [gene_names(Path(table), where=str(table)) for table in tables if table]
    genes = [names for names in named if names is not None]
    if not genes or len(genes) < len(plan.samples):
        return  # of images and text nobody knows yet
    most = max(genes, key=lambda names: len(set(names) & set(known)))
    if len(set(most) & set(known)) < LEAST_SHARED:
        where = f"analysis.annotation.reference '{options.reference}'"
        raise too_few_shared(where, sorted(set(most) & set(known)), known, most)
