"""All samples of a run as one table of the cells that passed quality control."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import anndata
import pandas as pd
from anndata import AnnData

from isthmus.analyse.quality import explain_removed
from isthmus.errors import UserError


def join_samples(
    tables: Iterable[AnnData],
    *,
    columns: Mapping[str, Mapping[str, Any]] | None = None,
    sample_names: Sequence[str] = (),
    segmentation: str = "basins",
) -> AnnData:
    """Put the passing cells of all samples one below the other; one sample comes back as it is.

    Genes are those that every sample with cells measured, so that a zero always means "measured, none found".
    Samples keep the order given, cells and genes their order in the tables. The index is
    `<sample>-<instance_id>`. `uns['isthmus']['samples']` holds each sample's own `uns['isthmus']`; nothing
    else of uns is kept. A sample without passing cells adds nothing.

    Parameters
    ----------
    tables
        One table a sample, with obs `sample`, `instance_id`, `qc_pass` and `qc_reason`; taken one by one, so that only
        their passing cells are held.
    columns
        For each sample the extra columns of the sample sheet and their values; they become categories in obs.
    sample_names
        What the samples are called in errors; a table without cells does not say.
    segmentation
        The method that found the cells, for what an error says to do.

    Returns
    -------
    Cells x genes; X and layers['counts'] CSR int32; for protein assays X of intensities, and var `role` where there
    is a panel.
    """
    names: list[str] = []
    kept: list[AnnData] = []
    reasons: list[pd.Series[str]] = []
    records: dict[str, Any] = {}
    for table in tables:
        if not table.n_obs:
            continue
        names.append(_sample_of(table))
        reasons.append(table.obs["qc_reason"].astype(str))
        records[names[-1]] = table.uns.get("isthmus", {})
        part = table[table.obs["qc_pass"].to_numpy(dtype=bool)].copy()
        kept += [part] if part.n_obs else []
    if not names:
        raise _no_cell(sample_names, segmentation)
    _check_names(names)
    if not kept:
        raise _nothing_passed(pd.concat(reasons))
    if not set(kept[0].var_names).intersection(*(part.var_names for part in kept)):
        raise UserError(
            where="samples " + ", ".join(names),
            found="no gene is measured in all of them",
            do="analyse them in runs of their own",
        )
    for part in kept:
        name = _sample_of(part)
        _add_columns(part, name, (columns or {}).get(name, {}))
    joined = _concatenate(kept)
    joined.uns["isthmus"] = {"samples": records}
    return joined


def _sample_of(table: AnnData) -> str:
    names = table.obs["sample"].astype(str).unique()
    if len(names) != 1:
        raise ValueError(f"{len(names)} samples in a table where one is expected")
    return str(names[0])


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UserError(where=f"sample '{name}'", found="named twice", do="give each sample its own name")


_TO_FIND_CELLS = {
    "basins": "see whether segmentation.basins.channel shows nuclei; a higher sensitivity, or a lower local_contrast "
    "or min_area_um2, finds more",
    "blobs": "see whether segmentation.blobs.channel shows nuclei and nucleus_diameter_um fits; a higher sensitivity, "
    "or a lower edge or min_area_um2, finds more",
    "labels": "see whether the label image that the sample sheet names (column `labels`) has values above 0 where the "
    "image, or image.region_um, lies",
}


def _no_cell(names: Sequence[str], segmentation: str) -> UserError:
    return UserError(
        where=f"sample {names[0]}" if len(names) == 1 else f"samples {', '.join(names)}".strip(),
        found="no sample has a cell",
        do=_TO_FIND_CELLS.get(segmentation, f"see whether segmentation.{segmentation} fits the image"),
    )


def _nothing_passed(reasons: pd.Series[str]) -> UserError:
    return UserError(
        where="analysis.quality",
        found=f"none of {len(reasons):,} cells passed (removed: {explain_removed(reasons)})",
        do="relax that threshold, or see in the report whether segmentation and transcripts fit together",
    )


def _add_columns(part: AnnData, name: str, values: Mapping[str, Any]) -> None:
    for column, value in values.items():
        if column in part.obs:
            raise UserError(
                where=f"sample sheet, sample '{name}'",
                found=f"column '{column}' has the name of a column that Isthmus makes",
                do="rename it",
            )
        part.obs[column] = "" if value is None else str(value)


def _concatenate(parts: Sequence[AnnData]) -> AnnData:
    for part in parts:
        part.obs_names = [
            f"{sample}-{instance}"
            for sample, instance in zip(part.obs["sample"], part.obs["instance_id"], strict=True)
        ]
        part.var = part.var[[name for name in ("role",) if name in part.var]]
    dimensions = {part.obsm["spatial"].shape[1] if "spatial" in part.obsm else 0 for part in parts}
    if len(dimensions) > 1:
        raise UserError(
            where="samples",
            found="flat and three-dimensional ones together",
            do="analyse them in runs of their own",
        )
    joined = parts[0] if len(parts) == 1 else anndata.concat(parts, join="inner", merge="same")
    # concat would drop columns that a sample lacks
    joined.obs = pd.concat([part.obs for part in parts])
    joined.uns = {}
    text = [name for name in joined.obs if joined.obs[name].dtype == object]
    for name in text:
        joined.obs[name] = joined.obs[name].astype("category")
    if not joined.obs_names.is_unique:
        raise ValueError("an instance_id occurs twice in a sample")
    return joined
