"""What the page says of one sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from markupsafe import Markup

from isthmus.config.accessions import ARCHIVES, link, split_accessions
from isthmus.plan.model import SamplePlan
from isthmus.report.charts import Segment, Threshold
from isthmus.report.colours import COMPARTMENT_COLOURS
from isthmus.report.depth import DepthPictures, draw_depth
from isthmus.report.gather import Record, RunResults, SampleResults
from isthmus.report.groups import Groups
from isthmus.report.many_images import draw_images, images_facts
from isthmus.report.pictures import Picture, SamplePictures, draw_map, draw_sample
from isthmus.report.pixels import shown_channels
from isthmus.report.plates import PlateSection, plate_section
from isthmus.report.sections_counts import CountsSection, counts_section
from isthmus.report.sections_seams import SeamsSection, seams_section
from isthmus.report.spots import draw_spots
from isthmus.report.text import TIMES, count, length, number
from isthmus.report.words import Words, words_of

KINDS = {
    "gene": "genes",
    "control": "negative controls",
    "low_quality": "low quality",
}
COMPARTMENTS = {"nucleus": "nucleus", "cytoplasm": "cytoplasm", "none": "no cell"}
METRICS = {
    "n_counts": ("transcripts per cell", ""),
    "n_genes": ("genes per cell", ""),
    "area_um2": ("cell area", "µm²"),
    "nucleus_area_um2": ("nucleus area", "µm²"),
    "volume_um3": ("cell volume", "µm³"),
    "nucleus_volume_um3": ("nucleus volume", "µm³"),
    "nuclear_signal": ("nuclear signal above the background", ""),
    "total_intensity": ("sum of marker intensities", ""),
    "control_fraction": ("share of negative controls", ""),
    "mito_fraction": ("share of mitochondrial transcripts", ""),
    "doublet_score": ("doublet score", ""),
    "low_quality_fraction": ("share of low-quality transcripts", ""),
}
THRESHOLDS = {
    "min_counts": ("n_counts", "at least"),
    "max_counts": ("n_counts", "at most"),
    "min_genes": ("n_genes", "at least"),
    "min_area_um2": ("area_um2", "at least"),
    "max_area_um2": ("area_um2", "at most"),
    "min_nuclear_signal": ("nuclear_signal", "at least"),
    "min_total_intensity": ("total_intensity", "at least"),
    "max_total_intensity": ("total_intensity", "at most"),
    "max_control_fraction": ("control_fraction", "at most"),
    "max_mito_fraction": ("mito_fraction", "at most"),
    "max_doublet_score": ("doublet_score", "at most"),
}
IN_TISSUE = "in_tissue"
"""What spots beside the tissue miss; no bound of a number."""


@dataclass(frozen=True)
class Reason:
    """A threshold and the cells that miss it."""

    name: str
    bound: str
    first: int
    missed: int


@dataclass(frozen=True)
class Metric:
    """A histogram, or in `constant` the one value that all cells have."""

    title: str
    unit: str
    record: Record
    thresholds: tuple[Threshold, ...]
    constant: str = ""


@dataclass(frozen=True)
class SampleSection:
    """Everything of one sample, as the template takes it."""

    name: str
    anchor: str
    facts: list[tuple[str, str]]
    notes: tuple[str, ...]
    tested: bool
    reader: str
    pictures: SamplePictures | None
    depth: DepthPictures | None
    map: Picture | None
    map_title: str
    legend: list[tuple[str, str, int]]
    n_failed: int
    transcripts: Record | None
    has_qv: bool
    bars: dict[str, list[Segment]]
    vendor: Record | None
    quality: Record | None
    counts: CountsSection | None
    plate: PlateSection | None
    seams: SeamsSection | None
    metrics: list[Metric]
    reasons: list[Reason]


def sample_section(
    run: RunResults, sample: SampleResults, groups: Groups | None, max_px: int
) -> SampleSection:
    """Draw and describe one sample."""
    transcripts = sample.transcripts
    quality = sample.quality
    ours = groups.of_sample(sample.name) if groups else None
    drawn = groups is not None and ours is not None and sample.n_levels > 0 and not sample.plan.images
    drawn = drawn and sample.name not in run.plan.compared()
    return SampleSection(
        name=sample.name,
        anchor=f"sample-{list(run.plan.samples).index(sample.name) + 1}",
        facts=_facts(sample),
        notes=(*sample.plan.notes, *_size_notes(sample), *_import_notes(run, sample)),
        tested=sample.plan.tested_on_real_files,
        reader=sample.plan.reader,
        pictures=(draw_images if sample.plan.images else draw_sample)(
            sample, nuclei_channel=_nuclei_channel(run, sample), max_px=max_px
        ),
        depth=None
        if sample.plan.images
        else draw_depth(sample, shown_channels(sample, _nuclei_channel(run, sample)), max_px // 2),
        map=_map(sample, groups, ours, max_px) if drawn and groups and ours is not None else None,
        map_title=groups.title if groups else "",
        legend=groups.legend(sample.name) if groups else [],
        n_failed=quality["cells"] - quality["passed"] if quality else 0,
        transcripts=transcripts,
        has_qv=has_qv(sample),
        bars=_bars(transcripts["by_kind"]) if transcripts else {},
        vendor=transcripts.get("vendor") if transcripts else None,
        quality=quality,
        counts=None if sample.plan.has_spots else counts_section(sample),
        plate=plate_section(sample),
        seams=seams_section(sample),
        metrics=_metrics(quality, words_of(run.plan)) if quality else [],
        reasons=_reasons(quality, words_of(run.plan)) if quality else [],
    )


def _map(sample: SampleResults, groups: Groups, ours: pd.Series[int], max_px: int) -> Picture | None:
    """The sample's cells, or its spots where molecules were counted in these."""
    if sample.plan.has_spots:
        return draw_spots(sample, ours, groups.palette, max_px=max_px)
    return draw_map(sample, ours, groups.palette, max_px=max_px)


def _size_notes(sample: SampleResults) -> list[str]:
    """A doubt about the measured size of nuclei: noise comes out smallest, clumps come out largest."""
    if not sample.diameter_at_bound:
        return []
    return [
        f"The nuclei were measured to be {sample.diameter_um:g} µm wide, the end of what is told apart: look at the"
        " outlines; if what was found is noise or clumps, switch measure_diameter off and give nucleus_diameter_um."
    ]


def assigned(transcripts: Record) -> tuple[int, int]:
    """Transcripts of genes with good quality inside the image: (in cells, all)."""
    genes = transcripts["by_kind"]["gene"]
    return genes["nucleus"] + genes["cytoplasm"], sum(genes.values())


def _nuclei_channel(run: RunResults, sample: SampleResults) -> int:
    segmentation = run.plan.settings["segmentation"]
    wanted = segmentation.get(segmentation["method"], {}).get("channel")
    channels = sample.plan.channels
    return channels.index(wanted) if wanted in channels else 0


def _facts(sample: SampleResults) -> list[tuple[str, str]]:
    plan = sample.plan
    if not plan.has_image:
        return [*_origin(sample), *_sheet_facts(plan)]
    channels, z, y, x = plan.shape
    step_y, step_x = plan.spacing_um[1:]
    size = f"{step_x:g} µm" if step_x == step_y else f"{step_x:g} {TIMES} {step_y:g} µm"
    planes = f", {z} planes every {plan.z_step_um:g} µm" if z > 1 else ""
    facts = [
        ("Reader", plan.reader),
        (
            "Image",
            f"{_file(plan.sheet['image'])}: {count(x)} {TIMES} {count(y)} pixels{planes}, {plan.dtype}",
        ),
        ("Pixel size", size),
        ("Field", f"{length(round(x * step_x, 1))} {TIMES} {length(round(y * step_y, 1))}"),
        ("Channels", f"{channels}: {', '.join(plan.channels)}" if channels > 1 else plan.channels[0]),
        ("Part in use", _window(plan)),
    ]
    if plan.images:
        facts = [*facts[:1], *images_facts(sample), *facts[1:-1]]
    if sample.spots is not None:
        facts.append(("Spots", f"{_file(plan.sheet['counts'])}: {_spots(sample.spots)}"))
        n_nuclei = len(sample.cells.obs) if sample.cells is not None else 0
        facts.append(("Nuclei", f"{count(n_nuclei)} found in the picture"))
    if sample.points is not None:
        points = sample.points
        file = plan.sheet["transcripts"] or plan.sheet["counts"]
        facts.append(("Transcripts", f"{_file(file)}: {_points(points)}"))
        facts.append(("Features", f"{count(len(points['genes']))} (genes and controls)"))
    return [*facts, *_sheet_facts(plan)]


def _origin(sample: SampleResults) -> list[tuple[str, str]]:
    """Where the counts of a sample without an image come from."""
    sheet, counted = sample.plan.sheet, sample.counted_reads
    if counted is None:
        return [("Counts", _file(sheet["counts"]))]
    aligned = f"{100 * counted['n_aligned'] / counted['n_reads']:.1f} % of a transcript"
    kept = f"{count(counted['n_kept'])} of {count(counted['n_barcodes'])} barcodes are no empty droplets"
    return [
        ("Reads", f"{_file(sheet['reads'])}: {count(counted['n_reads'])}, {aligned}"),
        ("Molecules", f"{count(counted['n_molecules'])}; {kept}"),
    ]


def _sheet_facts(plan: SamplePlan) -> list[tuple[str, str]]:
    """What the sample sheet says of the sample."""
    facts: list[tuple[str, str]] = []
    for column in ("batch", "condition", *ARCHIVES):
        if plan.sheet.get(column):
            facts.append((column.replace("_", " ").capitalize(), _linked(column, str(plan.sheet[column]))))
    facts += [(str(name), str(value)) for name, value in plan.sheet.get("extra", {}).items()]
    return facts


def _linked(column: str, cell: str) -> str:
    """The text of a cell of the sample sheet; accessions lead to their archives."""
    if column not in ARCHIVES:
        return cell
    links = [(accession, link(column, accession)) for accession in split_accessions(cell)]
    return Markup(", ").join(
        Markup('<a href="{}">{}</a>').format(url, text) if url else text for text, url in links
    )


def _file(path: Any) -> str:
    """The name alone: the parameters have the whole path."""
    return PurePath(str(path)).name if path else "from the folder"


def _window(plan: Any) -> str:
    if plan.window.shape == plan.shape[1:]:
        return "the whole image"
    y, x = plan.window.shape[1:]
    row, column = plan.window_start[1:]
    return f"{count(x)} {TIMES} {count(y)} pixels from column {count(column)}, row {count(row)}"


def _points(points: Mapping[str, Any]) -> str:
    text = f"{count(points['n_rows'])} in the file"
    if points["n_in_window"] != points["n_rows"]:
        text += f", {count(points['n_in_window'])} in the part in use"
    return text


def _spots(spots: Mapping[str, int]) -> str:
    """How many spots have counts and a place, and how many of them a window leaves out."""
    outside = spots["n"] - spots["in_window"]
    text = f"{count(spots['n'])} with counts and a place"
    return f"{text}, {count(outside)} of them outside the part in use and left out" if outside else text


def _bars(by_kind: Mapping[str, Mapping[str, int]]) -> dict[str, list[Segment]]:
    """A bar a kind of transcript, for kinds that occur."""
    return {
        title: [
            Segment(label, by_kind[kind][part], COMPARTMENT_COLOURS[part])
            for part, label in COMPARTMENTS.items()
        ]
        for kind, title in KINDS.items()
        if sum(by_kind[kind].values())
    }


def _called(title: str, words: Words) -> str:
    """The name of a metric of cells, for whatever the rows and columns are."""
    if words.features == "measures" and title == METRICS["total_intensity"][0]:
        return "sum of all measures"
    return title.replace("per cell", f"per {words.row}").replace("cell area", f"{words.row} area")


def _import_notes(run: RunResults, sample: SampleResults) -> list[str]:
    """Of cells that were imported whole, nuclei are not known."""
    settings = sample.plan.settings(run.plan.settings)
    if settings["segmentation"]["method"] != "labels" or settings["cells"]["expand_um"] > 0:
        return []
    return [
        "Cells were imported as they are, and nothing is known of their nuclei: what is told of nuclei is of cells."
    ]


def has_qv(sample: SampleResults) -> bool:
    """Whether transcripts have a quality, as far as their table can be asked."""
    path = sample.paths.transcripts
    return not path.is_file() or "qv" in pq.read_schema(path).names


def _metrics(quality: Record, words: Words) -> list[Metric]:
    found = []
    for name, record in quality["metrics"].items():
        title, unit = METRICS.get(name, (name.replace("_", " "), ""))
        title = _called(title, words)
        bounds = tuple(
            Threshold(side, float(quality["thresholds"][key]))
            for key, (metric, side) in THRESHOLDS.items()
            if metric == name and quality["thresholds"].get(key) is not None
        )
        before = record["before"]
        if before["min"] is None:
            continue
        constant = number(before["min"]) if before["min"] == before["max"] else ""
        found.append(Metric(title, unit, record, bounds, constant))
    return sorted(found, key=lambda metric: metric.constant != "")


def _reasons(quality: Record, words: Words) -> list[Reason]:
    found = []
    for key, first in quality["removed"].items():
        if key == IN_TISSUE:
            found.append(Reason("place", "in the tissue, as the vendor says", first, quality["missed"][key]))
            continue
        metric, side = THRESHOLDS.get(key, (key, ""))
        title, unit = METRICS.get(metric, (metric, ""))
        bound = f"{side} {number(float(quality['thresholds'][key]))} {unit}".strip()
        found.append(Reason(_called(title, words), bound, first, quality["missed"][key]))
    return found
