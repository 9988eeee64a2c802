"""Read what a run left, as far as it is there: a part that is missing is None, and its section is left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata.io import read_elem

from isthmus.plan.model import RunPlan, SamplePlan, read_plan
from isthmus.plan.paths import ImagePaths, RunPaths, SamplePaths
from isthmus.report.resources import read_resources

Record = dict[str, Any]


@dataclass(frozen=True)
class Cells:
    """A table of cells without its matrices.

    spatial_um
        Cells x (x, y[, z]), float64, micrometres; NaN for dissociated cells.
    umap
        Cells x 2; None where there is no map or where it is undefined (too few cells to cluster).
    """

    obs: pd.DataFrame
    spatial_um: npt.NDArray[np.float64]
    umap: npt.NDArray[np.float64] | None
    n_genes: int


@dataclass(frozen=True)
class SampleResults:
    """One sample: its plan, the records of its jobs, and its cells before any is left out.

    quality is that of the rows that go to the cohort: of spots where molecules were counted in these, else of cells.
    """

    name: str
    plan: SamplePlan
    paths: SamplePaths
    survey: Record | None
    diameter_um: float | None
    diameter_at_bound: bool
    points: Record | None
    transcripts: Record | None
    quality: Record | None
    n_outlines: int | None
    seams: Record | None
    cells: Cells | None
    counted_reads: Record | None = None
    spots: Record | None = None

    @property
    def n_levels(self) -> int:
        """Levels that both the image and its labels have; 0 where they are missing."""
        folders = (self.paths.image, self.paths.labels / "nuclei", self.paths.labels / "cells")
        level = 0
        while all((folder / str(level) / "zarr.json").is_file() for folder in folders):
            level += 1
        return level


def results_of_image(sample: SampleResults, image: int) -> SampleResults:
    """One of a sample's images with its cells, as if it were a sample of its own."""
    plan, paths = sample.plan, sample.paths
    cells = sample.cells
    if cells is not None:
        mine = (cells.obs["image"].astype(str) == plan.images[image].name).to_numpy()
        cells = replace(cells, obs=cells.obs[mine], spatial_um=cells.spatial_um[mine], umap=None)
    return replace(
        sample,
        plan=plan.alone(image),
        paths=ImagePaths(paths.root, paths.work, plan.images[image].path),
        cells=cells,
    )


@dataclass(frozen=True)
class Omics:
    """Tables of other omics: how each fits the run, and what joint analysis found, by unit (sample, well)."""

    tables: list[Record]
    units: dict[str, Record]
    correlations: pd.DataFrame | None


@dataclass(frozen=True)
class RunResults:
    """A whole run."""

    paths: RunPaths
    plan: RunPlan
    samples: tuple[SampleResults, ...]
    cohort: Cells | None
    markers: pd.DataFrame | None
    neighbourhood: pd.DataFrame | None
    comparison: Record | None = None
    mixing: pd.DataFrame | None = None
    composition: pd.DataFrame | None = None
    omics: Omics | None = None
    niches: pd.DataFrame | None = None
    co_occurrence: pd.DataFrame | None = None
    spatial_genes: pd.DataFrame | None = None
    structures: pd.DataFrame | None = None
    resources: list[Record] = field(default_factory=list)
    notes: Record = field(default_factory=dict)
    proteins: dict[str, pd.DataFrame] = field(default_factory=dict)


def read_run(root: Path) -> RunResults:
    """Everything that the report tells about; image pixels are read later, a window at a time."""
    paths = RunPaths(root.resolve())
    plan = read_plan(paths.plan)
    return RunResults(
        paths=paths,
        plan=plan,
        samples=tuple(
            _read_sample(name, sample, paths.sample(name)) for name, sample in plan.samples.items()
        ),
        cohort=_read_cells(paths.cohort_table),
        markers=_read_tsv(paths.cohort / "markers.tsv", {"cluster": str, "gene": str}),
        neighbourhood=_read_tsv(paths.cohort / "neighbourhood.tsv", {"type_a": str, "type_b": str}),
        mixing=_read_frame(paths.cohort_table, "uns/integration"),
        composition=_read_composition(paths.composition),
        niches=_read_frame(paths.cohort_table, "uns/niches"),
        co_occurrence=_read_frame(paths.cohort_table, "uns/co_occurrence"),
        spatial_genes=_read_frame(paths.cohort_table, "uns/spatial_genes"),
        structures=_read_frame(paths.cohort_table, "uns/structures"),
        omics=_read_omics(paths),
        comparison=_read_json(paths.cohort / "comparison.json"),
        resources=[row for row in read_resources(paths) if row["rule"] != "report"],
        notes=_read_notes(paths.cohort_table),
        proteins=_read_proteins(paths.cohort_table),
    )


def _read_sample(name: str, plan: SamplePlan, paths: SamplePaths) -> SampleResults:
    table = _read_json(paths.record("build_table")) or {}
    survey = _read_json(paths.survey) or {}
    return SampleResults(
        name=name,
        plan=plan,
        paths=paths,
        survey=survey.get("channels"),
        diameter_um=survey.get("nucleus_diameter_um"),
        diameter_at_bound=survey.get("diameter_at_bound", False),
        points=_read_json(paths.record("import_transcripts")) if plan.has_points else None,
        transcripts=table.get("transcripts"),
        quality=_read_json(paths.record("assess_spots" if plan.has_spots else "assess_quality")),
        n_outlines=(_read_json(paths.record("build_outlines")) or {}).get("n_outlines"),
        # Evidence of a fault goes before a certificate of earlier labels.
        seams=_read_json(paths.failed_seams) or _read_json(paths.seams),
        cells=_read_cells(paths.table),
        counted_reads=_read_json(paths.record("count_reads")) if "count_reads" in plan.digests else None,
        spots=table.get("spots"),
    )


def _read_omics(paths: RunPaths) -> Omics | None:
    tables = _read_json(paths.cohort / "join_omics.json")
    if tables is None:
        return None
    joint = _read_json(paths.cohort / "analyse_omics.json") or {"units": {}}
    names = ("unit", "feature_modality", "feature", "molecule_modality", "molecule")
    return Omics(tables["tables"], joint["units"], _read_tsv(paths.correlations, dict.fromkeys(names, str)))


def _read_json(path: Path) -> Record | None:
    return dict(json.loads(path.read_text())) if path.is_file() else None


def _read_tsv(path: Path, names: Mapping[str, type]) -> pd.DataFrame | None:
    """A table; None where it is missing or has no rows. Cluster '1' and type 'NA' are names, not values."""
    if not path.is_file():
        return None
    frame = pd.read_csv(path, sep="\t", dtype=dict(names), keep_default_na=False)
    return frame if len(frame) else None


def _read_composition(path: Path) -> pd.DataFrame | None:
    """Shares of the types; numbers that were not tested are empty in the file, and NaN here."""
    frame = _read_tsv(path, {"type": str})
    if frame is None:
        return None
    for name in frame.columns.drop("type"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    return frame


def _read_frame(path: Path, element: str) -> pd.DataFrame | None:
    """A small table that lies in the cohort's table."""
    if not path.is_file():
        return None
    with h5py.File(path, mode="r") as file:
        return pd.DataFrame(read_elem(file[element])) if element in file else None


def _read_proteins(path: Path) -> dict[str, pd.DataFrame]:
    """The tables that the analysis of intensities left, by name; none for other assays."""
    names = ("marker_means", "gates", "gate_histograms", "crosstalk", "neighbour_light")
    found = {name: _read_frame(path, f"uns/{name}") for name in names}
    return {name: frame for name, frame in found.items() if frame is not None}


def _read_cells(path: Path) -> Cells | None:
    """The small parts of a table of cells: expression may be large, and the report does not need it."""
    if not path.is_file():
        return None
    with h5py.File(path, mode="r") as file:
        obs = read_elem(file["obs"])
        umap = np.asarray(read_elem(file["obsm/X_umap"]), np.float64) if "obsm/X_umap" in file else None
        if umap is not None and not np.isfinite(umap).all():
            umap = None
        return Cells(
            obs=obs,
            spatial_um=np.asarray(read_elem(file["obsm/spatial"]), np.float64)
            if "obsm/spatial" in file
            else np.full((len(obs), 2), np.nan),
            umap=umap,
            n_genes=len(read_elem(file["var"])),
        )


def _read_notes(path: Path) -> Record:
    """What the steps of the analysis noted in the cohort's table."""
    if not path.is_file():
        return {}
    with h5py.File(path, mode="r") as file:
        return dict(read_elem(file["uns/isthmus"])) if "uns/isthmus" in file else {}
