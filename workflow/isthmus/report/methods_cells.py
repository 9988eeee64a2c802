"""Sentences for the methods section: how cells were found, counted and chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.report.gather import RunResults
from isthmus.report.text import joined


def segmentation(run: RunResults) -> str:
    """How nuclei were found."""
    options = run.plan.settings["segmentation"]
    if options["method"] == "labels":
        return "Nuclei or cells were taken from labels or outlines that came with the data."
    own = options[options["method"]]
    channel = own["channel"] or run.samples[0].plan.channels[0]
    if options["method"] == "blobs":
        return (
            f"Nuclei were segmented in channel {channel} as basins of steepest ascent of a difference of two Gaussian"
            f" blurs (diameter {own['nucleus_diameter_um']:g} µm, sensitivity {own['sensitivity']:g}, edge"
            f" {own['edge']:g}); objects below {own['min_area_um2']:g} µm² were dropped."
        )
    basins = own
    return (
        f"Nuclei were segmented in channel {channel} as basins of steepest ascent of a landscape of the distance to the"
        " edge of the foreground, parted by grooves and necks"
        f" ({_diameter(run)}, sensitivity {basins['sensitivity']:g},"
        f" local contrast {basins['local_contrast']:g}, smoothing {basins['smoothing_um']:g} µm,"
        f" groove depth {basins['groove_depth']:g}, roundness {basins['roundness']:g});"
        f" objects below {basins['min_area_um2']:g} µm² were dropped."
    )


def _diameter(run: RunResults) -> str:
    basins = run.plan.settings["segmentation"]["basins"]
    if not basins["measure_diameter"]:
        return f"expected diameter {basins['nucleus_diameter_um']:g} µm"
    found = sorted({sample.diameter_um for sample in run.samples if sample.diameter_um is not None})
    return f"diameter measured in each sample: {joined([f'{size:g}' for size in found]) or 'unknown'} µm"


def cells(settings: Mapping[str, Any]) -> str:
    """How nuclei became cells."""
    reach = settings["cells"]["expand_um"]
    if reach == 0:
        return "Cells are represented by their nuclei."
    text = f"Cells were made by growing nuclei by at most {reach:g} µm, without overlap"
    guide = settings["cells"]["guide"]
    if guide["channel"] is not None:
        held = "bright membranes hold" if guide["kind"] == "membrane" else "dark gaps between cytoplasm hold"
        text += (
            f", along the cheapest paths in channel {guide['channel']}, in which {held} growth up"
            f" (kind {guide['kind']}, weight {guide['weight']:g})"
        )
    return f"{text}."


def counts(settings: Mapping[str, Any], has_qv: bool) -> str:
    """How molecules were counted."""
    quality = settings["quantification"]["min_qv"]
    if not has_qv:
        return (
            "Every transcript was given to the cell that it lies in; transcripts of genes were counted, controls"
            " kept apart."
        )
    return (
        "Every transcript was given to the cell that it lies in; only transcripts of genes with a quality value of at"
        f" least {quality:g} were counted, negative controls and others were kept apart."
    )


def spots() -> str:
    """What spots are described by, and how nuclei are given to them."""
    return (
        "Spots have the counts of the array, the number of nuclei whose centre lies in them, and the stains of the"
        " pixels that they cover."
    )


def quality(options: Mapping[str, Any], rows: str = "Cells") -> str:
    """Which cells were kept."""
    bounds = []
    sizes = (("area_um2", "area", " µm²"),) if rows == "Cells" else ()  # spots are of one size
    for name, what, unit in (("counts", "transcripts", ""), ("genes", "genes", ""), *sizes):
        low, high = options.get(f"min_{name}"), options.get(f"max_{name}")
        if low is not None:
            bounds.append(
                f"at least {low:g}{unit} {what}" if not unit else f"an area of at least {low:g}{unit}"
            )
        if high is not None:
            bounds.append(
                f"at most {high:g}{unit} {what}" if not unit else f"an area of at most {high:g}{unit}"
            )
    if options.get("max_mito_fraction") is not None:
        bounds.append(f"at most {100 * options['max_mito_fraction']:g} % mitochondrial transcripts")
    if options.get("doublets") == "scrublet":
        bounds.append("a Scrublet score that is not that of a doublet (doi:10.1016/j.cels.2018.11.005)")
    if options.get("max_control_fraction") is not None:
        bounds.append(f"at most {100 * options['max_control_fraction']:g} % negative controls")
    return (
        f"{rows} with {joined(bounds)} were analysed further."
        if bounds
        else f"All {rows.lower()} were analysed further."
    )
