"""What the page says of proteins: markers of the types, gates, and light where it does not belong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from isthmus.report.charts import Threshold, field_map, histogram
from isthmus.report.gather import RunResults

MAX_SAMPLES = 4
"""Samples whose histograms of gates are drawn."""
MAX_PAIRS = 15
NORMALISED = {
    "z": "mean 0 and standard deviation 1 in each sample",
    "robust": "median 0 and median absolute deviation 1 in each sample",
    "percentile": "the 1st to the 99th percentile of each sample from 0 to 1",
    "none": "not normalised",
}


@dataclass(frozen=True)
class ProteinSection:
    """Everything of proteins, as the template takes it.

    gates are (sample, marker, threshold, share of cells with it, whether two populations were told apart); charts their
    histograms by sample; pairs (sample, marker, into, share, cells); light (sample, marker, share, explained, cells).
    """

    means: Markup | None
    scale: str
    gates: list[tuple[str, str, float, float, bool]]
    method: str
    charts: dict[str, list[Markup]]
    n_hidden: int
    pairs: list[tuple[str, str, str, float, int]]
    n_pairs: int
    light: list[tuple[str, str, float, float, int]]
    several: bool


def protein_section(run: RunResults) -> ProteinSection | None:
    """The tables that the analysis left, drawn; None where there are no intensities."""
    found = run.proteins
    if "marker_means" not in found:
        return None
    options = run.notes.get("intensities", run.plan.settings["analysis"]["intensities"])
    gates = _rows(found, "gates", ("sample", "marker", "threshold", "positive", "separated"))
    pairs = _rows(found, "crosstalk", ("sample", "marker", "into", "share", "n_cells"))
    charts = _charts(found.get("gate_histograms"))
    return ProteinSection(
        means=_means(found["marker_means"]),
        scale=_scale(options),
        gates=gates,
        method=str(run.notes.get("gating", {}).get("threshold", "")),
        charts=dict(list(charts.items())[:MAX_SAMPLES]),
        n_hidden=max(0, len(charts) - MAX_SAMPLES),
        pairs=sorted(pairs, key=lambda row: -row[3])[:MAX_PAIRS],
        n_pairs=len(pairs),
        light=_rows(found, "neighbour_light", ("sample", "marker", "share", "explained", "n_cells")),
        several=len(run.samples) > 1,
    )


def _rows(found: Mapping[str, pd.DataFrame], name: str, columns: tuple[str, ...]) -> list[Any]:
    if name not in found:
        return []
    frame = found[name]
    return list(zip(*(frame[column].tolist() for column in columns), strict=True))


def _scale(options: Mapping[str, Any]) -> str:
    transform = str(options.get("transform", "arcsinh"))
    words = {"arcsinh": "arcsinh-transformed", "log1p": "log-transformed", "none": "raw"}[transform]
    cofactor = options.get("cofactor")
    if transform == "arcsinh":
        words += f" (cofactor {cofactor:g})" if cofactor else " (cofactor: the marker's median)"
    return f"{words} intensities, {NORMALISED[str(options.get('normalise', 'z'))]}"


def _means(frame: pd.DataFrame) -> Markup | None:
    by, *markers = (str(name) for name in frame.columns)
    if frame.empty or not markers:
        return None
    frame = frame.assign(**{by: frame[by].astype(str)}).sort_values(
        by, key=lambda names: names.str.zfill(9) if names.str.isdigit().all() else names, kind="stable"
    )
    kinds = [str(kind) for kind in frame[by]]
    values = {
        (kind, marker): float(value)
        for marker in markers
        for kind, value in zip(kinds, frame[marker].tolist(), strict=True)
    }
    told = {pair: f"{pair[1]} in {pair[0]}: {value:.2f}" for pair, value in values.items()}
    limit = max(0.5, *(abs(value) for value in values.values()))
    words = f"Heat map of the mean of {len(markers)} markers in {len(kinds)} types of cells"
    return field_map(kinds, markers, values, told, limit=limit, words=words, digits=1)


def _charts(frame: pd.DataFrame | None) -> dict[str, list[Markup]]:
    """Histograms of the gates by sample, one a marker."""
    made: dict[str, list[Markup]] = {}
    if frame is None:
        return made
    for (sample, marker), bins in frame.groupby(["sample", "marker"], sort=False, observed=True):
        edges = [*bins["low"].tolist(), float(bins["high"].iloc[-1])]
        chart = histogram(
            str(marker),
            edges=edges,
            before=bins["cells"].tolist(),
            after=bins["positive"].tolist(),
            thresholds=[Threshold("threshold", float(bins["threshold"].iloc[0]))],
        )
        made.setdefault(str(sample), []).append(chart)
    return made
