"""What the workflow's scripts call: files in, files out, each output whole or absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from anndata import AnnData

from isthmus.analyse.batches import Method
from isthmus.analyse.cohort import join_samples
from isthmus.analyse.count_quality import measure_counts
from isthmus.analyse.doublets import doublet_bound
from isthmus.analyse.files import read_table, write_json, write_table, write_tsv
from isthmus.analyse.quality import mark_quality
from isthmus.analyse.quality_intensities import mark_intensities
from isthmus.analyse.transform import is_intensities


def assess_quality(
    table_path: Path,
    output_h5ad: Path,
    summary_json: Path,
    *,
    min_counts: int | None = 10,
    max_counts: int | None = None,
    min_genes: int | None = 5,
    min_area_um2: float | None = None,
    max_area_um2: float | None = None,
    max_control_fraction: float | None = 0.05,
    max_mito_fraction: float | None = None,
    mito_pattern: str = "^(MT|Mt|mt)-",
    doublets: Literal["none", "scrublet"] = "none",
    doublet_rate: float = 0.06,
    seed: int = 0,
    min_nuclear_signal: float | None = None,
    min_total_intensity: float | None = None,
    max_total_intensity: float | None = None,
    exclusive_markers: Sequence[str] = (),
    field_um: float = 200.0,
    transcripts: Mapping[str, Any] | None = None,
    structures: Mapping[str, Any] | None = None,
    where: str = "",
) -> None:
    """Mark the cells of one sample that pass quality control, and measure the quality of counts and where cells lie.

    See `count_quality.measure_counts`, `quality.mark_quality` for tables of counts,
    `quality_intensities.mark_intensities` for others, and `structures.add_distances`; `where` names the sample's row.
    """
    table = read_table(table_path)
    if structures is not None:
        # Here, because most samples have none, and shapely takes its time to load.
        from isthmus.analyse.structures import add_distances

        add_distances(table, structures, where=where)
    areas = {"min_area_um2": min_area_um2, "max_area_um2": max_area_um2}
    if is_intensities(table):
        summary = mark_intensities(
            table,
            min_nuclear_signal=min_nuclear_signal,
            min_total_intensity=min_total_intensity,
            max_total_intensity=max_total_intensity,
            **areas,
        )
    else:
        summary = mark_quality(
            table,
            min_counts=min_counts,
            max_counts=max_counts,
            min_genes=min_genes,
            max_control_fraction=max_control_fraction,
            max_mito_fraction=max_mito_fraction,
            mito_pattern=mito_pattern,
            max_doublet_score=doublet_bound(table, doublets, expected_rate=doublet_rate, seed=seed),
            **areas,
        )
        if "spatial" in table.obsm:  # dissociated cells lie in no field
            summary["counts"] = measure_counts(
                table, transcripts=transcripts, exclusive_markers=exclusive_markers, field_um=field_um
            )
            told = ("outside_cells", "negative_rate", "double_positive")
            note(
                table,
                "count_quality",
                {name: v for name in told if (v := summary["counts"][name]) is not None},
            )
    note(
        table, "quality", {name: bound for name, bound in summary["thresholds"].items() if bound is not None}
    )
    write_table(table, output_h5ad)
    write_json(summary, summary_json)


def integrate_cohort(
    sample_h5ads: Sequence[Path],
    output: Path,
    *,
    columns: Mapping[str, Mapping[str, Any]] | None = None,
    sample_names: Sequence[str] = (),
    segmentation: str = "basins",
) -> None:
    """Join the passing cells of all samples; see `cohort.join_samples`."""
    tables = (read_table(path) for path in sample_h5ads)
    joined = join_samples(tables, columns=columns, sample_names=sample_names, segmentation=segmentation)
    write_table(joined, output)


def analyse(
    input_h5ad: Path,
    output: Path,
    markers_tsv: Path,
    *,
    n_top_genes: int = 2000,
    n_components: int = 30,
    n_neighbours: int = 15,
    most_cells: int = 100_000,
    leiden_resolution: float = 1.0,
    min_dist: float = 0.5,
    seed: int = 0,
    method: Method = "none",
    batch_column: str = "batch",
    harmony: Mapping[str, Any] | None = None,
    intensities: Mapping[str, Any] | None = None,
) -> None:
    """Bring batches together, cluster the cohort and list marker genes; see `cluster.cluster_cells`."""
    # Here, because it loads numba and scanpy, which the other steps do without.
    from isthmus.analyse.cluster import cluster_cells

    options = {
        "n_top_genes": n_top_genes,
        "n_components": n_components,
        "n_neighbours": n_neighbours,
        "most_cells": most_cells,
        "seed": seed,
    }
    table = read_table(input_h5ad)
    markers = cluster_cells(
        table,
        leiden_resolution=leiden_resolution,
        min_dist=min_dist,
        method=method,
        batch_column=batch_column,
        intensities=intensities,
        **options,
        **(harmony or {}),
    )
    if is_intensities(table) and intensities is not None:
        note(table, "intensities", {name: value for name, value in intensities.items() if value is not None})
    note(table, "clustering", {**options, "leiden_resolution": leiden_resolution, "min_dist": min_dist})
    write_table(table, output)
    write_tsv(markers, markers_tsv)


def note(table: AnnData, step: str, options: Mapping[str, Any]) -> None:
    """Record in the table what a step was told."""
    record = table.uns.setdefault("isthmus", {})
    record[step] = dict(options)
