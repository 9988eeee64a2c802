"""What the page says of a plate: measured and corrected values of its wells, side by side, and what stands out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from anndata.io import read_elem
from markupsafe import Markup

from isthmus.report.charts_plate import plate_chart
from isthmus.report.gather import SampleResults
from isthmus.report.text import number

Floats = npt.NDArray[np.float64]

_SHOWN = ("n_cells", "_mean_cell", "nucleus_area_um2")
_MOST_MAPS = 4
_MOST_WELLS = 12
_LEAST_LIMIT = 0.25


@dataclass(frozen=True)
class PlateMap:
    """A feature over the plate, before and after its effects were taken out: log2 of the ratio to the controls."""

    feature: str
    before: Markup
    after: Markup
    limit: float


@dataclass(frozen=True)
class WellRow:
    """A well whose profile lies farthest from the controls: its description, and its strongest features."""

    well: str
    about: str
    n_cells: int
    distance: float
    features: str


@dataclass(frozen=True)
class PlateSection:
    """Everything of a plate; `method` says how its effects were found."""

    n_wells: int
    n_controls: int
    n_features: int
    method: str
    maps: list[PlateMap]
    wells: list[WellRow]


def plate_section(sample: SampleResults) -> PlateSection | None:
    """The section; None where the sample is no plate or has no profiles yet."""
    if sample.plan.layout != "plate" or not sample.paths.wells.is_file():
        return None
    table = _read(sample.paths.wells)
    obs, features = table["obs"], list(table["var"].index)
    is_control = obs["is_control"].to_numpy(dtype=bool)
    shown = [k for k, name in enumerate(features) if any(name.endswith(end) for end in _SHOWN)][:_MOST_MAPS]
    return PlateSection(
        n_wells=len(obs),
        n_controls=0 if is_control.all() else int(is_control.sum()),
        n_features=len(features),
        method=str(table["effects"].get("method", "none")),
        maps=[_map(table, k, features[k], is_control) for k in shown],
        wells=_farthest(table, features, is_control),
    )


def _read(path: Path) -> Mapping[str, Any]:
    with h5py.File(path) as file:
        return {
            "obs": read_elem(file["obs"]),
            "var": read_elem(file["var"]),
            "profile": np.asarray(read_elem(file["X"]), np.float64),
            "median": np.asarray(read_elem(file["layers/median"]), np.float64),
            "corrected": np.asarray(read_elem(file["layers/corrected"]), np.float64),
            "effects": read_elem(file["uns/plate_effects"]),
        }


def _map(table: Mapping[str, Any], k: int, name: str, is_control: npt.NDArray[np.bool_]) -> PlateMap:
    ratios = [_ratio(table[layer][:, k], is_control) for layer in ("median", "corrected")]
    known = np.abs(np.concatenate(ratios))
    known = known[np.isfinite(known)]
    # One odd well must not wash out all others.
    limit = max(_LEAST_LIMIT, float(np.quantile(known, 0.95))) if known.size else _LEAST_LIMIT
    charts = [
        plate_chart(table["obs"], ratio, values, limit=limit, words=f"{name}, {word}")
        for ratio, values, word in zip(
            ratios,
            (table["median"][:, k], table["corrected"][:, k]),
            ("as measured", "corrected"),
            strict=True,
        )
    ]
    return PlateMap(name, charts[0], charts[1], limit)


def _ratio(values: Floats, is_control: npt.NDArray[np.bool_]) -> Floats:
    """Log2 of the ratio to the median control; NaN where there is none."""
    known = values[is_control & np.isfinite(values)]
    middle = float(np.median(known)) if known.size else np.nan
    ratio = np.full(values.shape, np.nan)
    if middle > 0:
        np.divide(values, middle, out=ratio, where=values > 0)
    logs: Floats = np.log2(ratio, out=ratio, where=np.isfinite(ratio))
    return logs


def _farthest(
    table: Mapping[str, Any], features: Sequence[str], is_control: npt.NDArray[np.bool_]
) -> list[WellRow]:
    """Wells by the median distance of their features from the controls."""
    profile, obs = table["profile"], table["obs"]
    sizes = np.abs(profile)
    known = np.isfinite(sizes)
    distance = np.array(
        [np.median(row[ok]) if ok.any() else -1.0 for row, ok in zip(sizes, known, strict=True)]
    )
    about = [
        name for name in obs.columns if name not in ("row", "column", "n_images", "n_cells", "is_control")
    ]
    rows = []
    for well in np.argsort(-distance, kind="stable")[:_MOST_WELLS].tolist():
        if distance[well] < 0 or (is_control[well] and not is_control.all()):
            continue
        best = np.argsort(-np.where(known[well], sizes[well], -1.0), kind="stable")[:3]
        rows.append(
            WellRow(
                well=str(obs.index[well]),
                about=", ".join(str(obs[name].iloc[well]) for name in about),
                n_cells=int(obs["n_cells"].iloc[well]),
                distance=float(distance[well]),
                features=", ".join(f"{features[k]} {number(float(profile[well, k]))}" for k in best.tolist()),
            )
        )
    return rows
