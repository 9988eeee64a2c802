"""What the methods paragraph says of protein intensities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.report.sections_proteins import NORMALISED
from isthmus.report.text import joined

TRANSFORMS = {
    "arcsinh": "arcsinh-transformed",
    "log1p": "log-transformed after adding 1",
    "none": "not transformed",
}


def intensities(settings: Mapping[str, Any], features: str = "markers") -> str:
    """How intensities became values, and which cells were kept."""
    quality, bounds = settings["analysis"]["quality"], []
    for name, what in (("nuclear_signal", "nuclear signal"), ("total_intensity", "sum of intensities")):
        if quality.get(f"min_{name}") is not None:
            bounds.append(f"a {what} of at least {quality[f'min_{name}']:g}")
        if quality.get(f"max_{name}") is not None:
            bounds.append(f"a {what} of at most {quality[f'max_{name}']:g}")
    for side, word in (("min", "least"), ("max", "most")):
        if quality.get(f"{side}_area_um2") is not None:
            bounds.append(f"an area of at {word} {quality[f'{side}_area_um2']:g} µm²")
    part = settings["quantification"]["compartment"]
    kept = (
        f"Cells with {joined(bounds)} were analysed further."
        if bounds
        else "All cells were analysed further."
    )
    if features == "measures":
        return (
            f"Cells are described by the intensities of all channels in nucleus, cytoplasm and cell. {kept}"
        )
    return f"A marker's value is its mean intensity in the {part}. {kept}"


def clusters(analysis: Mapping[str, Any], notes: Mapping[str, Any], features: str = "markers") -> str:
    """How they were made comparable and clustered."""
    options, scale = notes.get("clustering", analysis["clustering"]), analysis["intensities"]
    cofactor = scale["cofactor"]
    by = "all measures" if features == "measures" else "the lineage markers"
    words = TRANSFORMS[scale["transform"]]
    if scale["transform"] == "arcsinh":
        words += f" with a cofactor of {cofactor:g}" if cofactor else " with each marker's median as cofactor"
    return (
        f"Intensities were {words} and brought to {NORMALISED[scale['normalise']]}"
        if scale["normalise"] != "none"
        else f"Intensities were {words}"
    ) + (
        f"; cells were clustered by {by} with the Leiden algorithm (Scanpy, resolution"
        f" {options['leiden_resolution']:g}) on a graph of {options['n_neighbours']} nearest neighbours in up to"
        f" {options['n_components']} principal components and mapped by UMAP (seed {analysis['seed']})."
    )


def wells(options: Mapping[str, Any]) -> str:
    """What wells are described by."""
    text = "Profiles of wells are medians over their cells"
    if options["plate_effects"] == "median_polish":
        text += "; effects of rows and columns were taken out by median polish (doi:10.1177/1087057103258285)"
    against = "control wells" if options["controls"] else "all wells of the plate"
    return f"{text}; they are told as distances from the median of {against} in median absolute deviations."


def gates(options: Mapping[str, Any]) -> str:
    """How types were found by rules."""
    how = "a mixture of two normal distributions" if options["threshold"] == "mixture" else "Otsu's method"
    return (
        f"Cells were given types by the rules of the marker table {options['gates']}, with a threshold for each marker"
        f" and sample found by {how}; cells whose weakest rule is less probable than {options['min_confidence']:g} stay"
        " unassigned."
    )
