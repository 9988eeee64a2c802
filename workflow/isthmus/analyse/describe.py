"""What the workflow's script of `annotate` calls: types, surroundings, and how samples differ.

Apart from `steps`, because it loads statistics that the steps before it do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from isthmus.analyse.annotate import annotate_cells, transfer_types
from isthmus.analyse.batches import CORRECTED, batch_column_of
from isthmus.analyse.composition import Composition, Transform, compare_composition
from isthmus.analyse.files import read_table, write_table, write_tsv
from isthmus.analyse.gates import read_gates
from isthmus.analyse.mixing import measure_integration
from isthmus.analyse.neighbourhood import COLUMNS as NEIGHBOURHOOD_COLUMNS
from isthmus.analyse.neighbourhood import enrich_neighbourhoods
from isthmus.analyse.places import describe_places
from isthmus.analyse.pseudobulk import add_up_cells
from isthmus.analyse.reference import Scale, read_reference
from isthmus.analyse.reference_cells import read_cell_reference
from isthmus.analyse.reference_types import holds_cells
from isthmus.analyse.steps import note
from isthmus.analyse.structures import structures_of, summarise_structures
from isthmus.analyse.transfer import Method as TransferMethod
from isthmus.analyse.transform import is_intensities


def annotate(
    input_h5ad: Path,
    reference: Path | None,
    output: Path,
    neighbourhood_tsv: Path,
    *,
    reference_scale: Scale = "log1p",
    reference_types: Path | None = None,
    type_column: str = "cell_type",
    method: TransferMethod = "auto",
    min_confidence: float = 0.5,
    min_fit: float = 0.5,
    max_distance_um: float = 30.0,
    n_permutations: int = 1000,
    seed: int = 0,
    pseudobulk_h5ad: Path | None = None,
    composition_tsv: Path | None = None,
    transform: Transform = "arcsine",
    adjust_for_batch: bool = True,
    intensities: Mapping[str, Any] | None = None,
    gating: Mapping[str, Any] | None = None,
    spatial: Mapping[str, Any] | None = None,
    structures_tsv: Path | None = None,
    has_spillover: bool = True,
) -> None:
    """Give cells a type where there is a reference, find which types (else clusters) lie together, compare samples.

    `uns['neighbourhood']` holds the same table as `neighbourhood_tsv`, and
    `uns['isthmus']['neighbourhood']['by']` names the column of obs that it is about: `cell_type`, or
    `leiden` where there is neither a reference nor a marker table. `uns['composition']` holds the same table as
    `composition_tsv`, `uns['integration']` how well batches mix (see `mixing`). Where samples have structures,
    `uns['structures']` holds the same table as `structures_tsv`. has_spillover tells whether columns are
    channels, between which light may spill.
    """
    table = read_table(input_h5ad)
    if reference is not None:
        limits = {"min_confidence": min_confidence, "min_fit": min_fit}
        noted: dict[str, Any] = {"reference": reference.name, **limits}
        if holds_cells(reference, reference_types):
            cells = read_cell_reference(reference, types=reference_types, column=type_column)
            learned = transfer_types(table, cells, method=method, seed=seed, where=str(reference), **limits)
            noted |= {
                "method": learned.method,
                "temperature": learned.temperature,
                "macro_f1": learned.scores,
            }
            noted |= {"n_reference_cells": len(cells.labels), "dropped_types": list(cells.dropped)}
        else:
            profiles = read_reference(reference, scale=reference_scale)
            annotate_cells(table, profiles, where=str(reference), **limits)
            noted |= {"method": "likelihood", "reference_scale": reference_scale}
        note(table, "annotation", noted)
    if gating is not None and gating.get("gates") is not None:
        _gate(table, intensities or {}, gating, seed)
    by = "cell_type" if "cell_type" in table.obs else "leiden"
    if is_intensities(table):
        _describe_markers(table, by, intensities or {}, seed, has_spillover=has_spillover)
    neighbourhood = _describe_surroundings(
        table,
        by,
        spatial or {},
        max_distance_um=max_distance_um,
        n_permutations=n_permutations,
        seed=seed,
    )
    composition = _compare_samples(table, by, transform=transform, adjust_for_batch=adjust_for_batch)
    table.uns["integration"] = _measure_mixing(table, by, seed)
    structures = structures_of(table)
    if structures:
        table.uns["structures"] = summarise_structures(table.obs, by, structures)
    write_table(table, output)
    write_tsv(neighbourhood, neighbourhood_tsv)
    if pseudobulk_h5ad is not None:
        write_table(add_up_cells(table, by), pseudobulk_h5ad)
    if composition_tsv is not None:
        write_tsv(composition.table, composition_tsv)
    if structures_tsv is not None and structures:
        write_tsv(table.uns["structures"], structures_tsv)


def _describe_surroundings(
    table: AnnData,
    by: str,
    spatial: Mapping[str, Any],
    *,
    max_distance_um: float,
    n_permutations: int,
    seed: int,
) -> pd.DataFrame:
    """What lies beside what, noted in the table; empty for dissociated cells, which lie nowhere."""
    if "spatial" not in table.obsm:
        return pd.DataFrame({name: [] for name in NEIGHBOURHOOD_COLUMNS})
    images = _images(table.obs)
    found = enrich_neighbourhoods(
        table.obs[by],
        np.asarray(table.obsm["spatial"], dtype=np.float64),
        images,
        max_distance_um=max_distance_um,
        n_permutations=n_permutations,
        seed=seed,
    )
    table.uns["neighbourhood"] = found
    options = {"by": by, "max_distance_um": max_distance_um, "n_permutations": n_permutations, "seed": seed}
    note(table, "neighbourhood", options)
    describe_places(table, by, images, max_distance_um=max_distance_um, seed=seed, **spatial)
    return found


def _compare_samples(table: AnnData, by: str, *, transform: Transform, adjust_for_batch: bool) -> Composition:
    """Compare the shares of the types between conditions, and note it in the table."""
    obs = table.obs
    column = batch_column_of(table)
    batches = obs[column] if adjust_for_batch and column != "sample" else None
    found = compare_composition(obs["sample"], obs[by], obs.get("condition"), batches, transform=transform)
    table.uns["composition"] = found.table
    options = {"by": by, "transform": transform, "adjust_for_batch": adjust_for_batch, "note": found.note}
    note(table, "composition", options)
    return found


def _measure_mixing(table: AnnData, by: str, seed: int) -> pd.DataFrame:
    """How batches mix before and after integration; types of a reference judge what is kept."""
    if "X_pca" not in table.obsm:
        before = np.zeros((table.n_obs, 1))
        return measure_integration(before, None, np.full(table.n_obs, "none"))
    return measure_integration(
        np.asarray(table.obsm["X_pca"]),
        np.asarray(table.obsm[CORRECTED]) if CORRECTED in table.obsm else None,
        table.obs[batch_column_of(table)].astype(str).to_numpy(dtype=str),
        table.obs[by].astype(str).to_numpy(dtype=str) if by == "cell_type" else None,
        seed=seed,
    )


def _describe_markers(
    table: AnnData, by: str, intensities: Mapping[str, Any], seed: int, *, has_spillover: bool
) -> None:
    """Means of markers by type, and light where it does not belong; see `spillover`."""
    from isthmus.analyse.spillover import mean_by_type, measure_spillover

    table.uns["marker_means"] = mean_by_type(table, by)
    if not has_spillover:
        return  # several measures of one channel go together: that is no light in the wrong place
    transform, cofactor = intensities.get("transform", "arcsinh"), intensities.get("cofactor")
    measure_spillover(table, transform=transform, cofactor=cofactor, seed=seed)


def _gate(table: AnnData, intensities: Mapping[str, Any], gating: Mapping[str, Any], seed: int) -> None:
    """Cell types by a marker table; see `gating.gate_cells`."""
    from isthmus.analyse.gating import gate_cells

    path = gating["gates"]
    gate_cells(
        table,
        read_gates(path),
        transform=intensities.get("transform", "arcsinh"),
        cofactor=intensities.get("cofactor"),
        threshold=gating["threshold"],
        min_confidence=gating["min_confidence"],
        seed=seed,
        where=f"analysis.gating.gates '{path}'",
    )
    note(table, "gating", {**gating, "gates": path.name})


def _images(obs: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A number for each cell: cells of one image (of one sample, at one time) share a plane."""
    keys = [name for name in ("sample", "image", "t") if name in obs]
    return np.asarray(obs.groupby(keys, observed=True, sort=False, dropna=False).ngroup(), dtype=np.int64)
