"""join_omics: tables of other omics beside what images and counts tell of the same samples, wells, spots or cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import pandas as pd
from anndata import AnnData
from anndata.io import read_elem

from isthmus.analyse.files import write_table
from isthmus.analyse.omics import assess_table, describe_units, match_keys, spread_rows
from isthmus.analyse.omics_joint import join_modalities, write_modalities
from isthmus.config.omics import OmicsTable, Unit, joint_units
from isthmus.errors import UserError, did_you_mean
from isthmus.plan.paths import RunPaths
from isthmus.readers.omics_table import fault_of_keys, read_values
from isthmus.steps.job import Job
from isthmus.steps.sheet import settings_of, sheet_columns
from isthmus.tables.unit_features import (
    composition,
    count_cells,
    image_medians,
    in_order,
    pseudobulk,
)


def join_omics(job: Job) -> None:
    """Write a table for each of the tables in the configuration, and the modalities of samples and of wells."""
    options = settings_of(job.plan).analysis.omics
    units = {key: _units(job, key) for key in dict.fromkeys(of.key for of in options)}
    made: dict[str, AnnData] = {}
    summaries: list[dict[str, Any]] = []
    for of in options:
        made[of.name], summary = _assess(of, units[of.key], list(job.plan.samples))
        summaries.append({"name": of.name, "key": of.key, "by": of.by, "file": of.path.name, **summary})
        write_table(made[of.name], job.paths.omics_table(of.name))
    for unit in joint_units(options):
        _write_joint(
            job,
            unit,
            units[unit],
            {of.name: made[of.name] for of in options if of.is_joint and of.key == unit},
        )
    job.write_record(job.paths.cohort / "join_omics.json", {"tables": summaries})


def _assess(
    options: OmicsTable, units: pd.DataFrame, samples: Sequence[str]
) -> tuple[AnnData, dict[str, Any]]:
    values = read_values(options)
    if options.by is None:
        values.index = pd.Index(match_keys(list(values.index), list(units.index), options.key, samples))
    known, what = list(units.index), f"{options.key} of this run"
    if options.by is not None:
        described = _described(units, options)
        known, what = sorted(set(described)), f"{options.by} of this run"
    fault = fault_of_keys(list(values.index), known, options, what)
    if fault is not None:
        raise fault
    if options.by is not None:
        values = spread_rows(values, described)
    return assess_table(
        values,
        units,
        name=options.name,
        normalisation=options.normalisation,
        max_missing=options.max_missing,
    )


def _described(units: pd.DataFrame, options: OmicsTable) -> pd.Series[str]:
    """What the column named by `by` says of each unit."""
    if options.by not in units:
        place = "plate map" if options.key == "well" else "sample sheet"
        raise UserError(
            where=f"analysis.omics '{options.name}', by",
            found=f"the {place} has no column '{options.by}'",
            do=did_you_mean(str(options.by), [str(name) for name in units.columns]),
        )
    return units[options.by].astype(str)


def _units(job: Job, key: str) -> pd.DataFrame:
    """What the run knows of each unit that a table may be keyed by, units as index."""
    if key in ("spot", "cell"):
        with h5py.File(job.paths.cohort_table) as file:
            obs: pd.DataFrame = read_elem(file["obs"])
        return obs[[name for name in ("sample", "instance_id", "cell_type", "leiden") if name in obs]]
    counted = count_cells(tables_of(job.paths, list(job.plan.samples)), "well" if key == "well" else "sample")
    if key == "well":
        counted = _with_plate_maps(counted, job.paths, list(job.plan.samples))
    sheet = {name: sheet_columns(plan) for name, plan in job.plan.samples.items()}
    records = {
        str(unit): {str(name): value for name, value in row.items()}
        for unit, row in counted.to_dict("index").items()
    }
    return describe_units({unit: {**row, **sheet[str(row["sample"])]} for unit, row in records.items()})


def _with_plate_maps(counted: pd.DataFrame, paths: RunPaths, samples: Sequence[str]) -> pd.DataFrame:
    """Wells with what the plate maps say of them, those without cells too, in the order of the plates."""
    parts = []
    for sample in samples:
        found = counted[counted["sample"] == sample]
        if not paths.sample(sample).wells.is_file():
            parts.append(found)
            continue
        with h5py.File(paths.sample(sample).wells) as file:
            obs: pd.DataFrame = read_elem(file["obs"])
        wells = [str(name) for name in obs.index]
        obs = obs.drop(columns=["row", "column", "n_images", "n_cells"]).astype(str)
        obs.index = pd.Index([f"{sample}-{well}" for well in wells], dtype=object)
        whole = found.reindex(obs.index)
        numbers = whole[["n_cells", "n_passed"]].fillna(0).astype(int)
        parts.append(
            whole.assign(
                sample=sample, well=wells, n_cells=numbers["n_cells"], n_passed=numbers["n_passed"]
            ).join(obs)
        )
    return pd.concat(parts)


def tables_of(paths: RunPaths, samples: Sequence[str]) -> dict[str, Any]:
    """The table of each sample."""
    return {name: paths.sample(name).table for name in samples}


def _write_joint(job: Job, unit: Unit, units: pd.DataFrame, tables: Mapping[str, AnnData]) -> None:
    of_samples = tables_of(job.paths, list(job.plan.samples))
    whole = join_modalities(
        units,
        image=in_order(image_medians(of_samples, unit), list(units.index)),
        composition=in_order(composition(job.paths.cohort_table, unit), list(units.index)),
        counts=in_order(pseudobulk(of_samples, unit), list(units.index)),
        tables=tables,
    )
    write_modalities(whole, job.paths.cohort / f"{unit}s.h5mu")
