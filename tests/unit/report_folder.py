"""A small results folder as a finished run leaves it, for the tests of the report."""

import json
import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from anndata import AnnData

from isthmus.blocks.grid import Grid, Region
from isthmus.config.models import Settings
from isthmus.image.affine import Affine
from isthmus.image.ome_zarr import create_level
from isthmus.image.pyramid import halve, level_factors, level_shape
from isthmus.plan.model import RunPlan, SamplePlan, write_plan
from isthmus.plan.paths import RunPaths
from isthmus.plan.prediction import Prediction

TYPES = ["B", "T", "Tumour", "unassigned"]
SPACING, CELL, PITCH = 0.5, 14, 20


def make_results(
    root: Path,
    *,
    samples=("s1",),
    channels=("DAPI",),
    planes=1,
    side=320,
    transcripts=True,
    types=True,
    umap=True,
    clusters=3,
    failed=2,
    cohort=True,
    images=True,
    tested=True,
    vendor=True,
    settings=None,
    sheet=None,
    tested_types=False,
    corrected=False,
) -> RunPaths:
    """Write the folder: square cells on a lattice, with a hole so that density varies."""
    paths = RunPaths(root)
    shape = (planes, side, side)
    plans, tables = {}, []
    for number, name in enumerate(samples):
        plans[name] = _plan(name, shape, channels, transcripts=transcripts, tested=tested, sheet=sheet or {})
        sample = paths.sample(name)
        nuclei, cells = _labels(shape, shift=number)
        if images:
            _write_images(sample, nuclei, cells, channels)
        table = _table(name, cells, failed=failed, volume=planes > 1, transcripts=transcripts)
        _write_table(table, sample.table)
        _write_records(sample, table, channels, transcripts=transcripts, vendor=vendor)
        tables.append(table.obs.assign(x=table.obsm["spatial"][:, 0], y=table.obsm["spatial"][:, 1]))
    options = {"samples": "samples.tsv", "results": str(root), **(settings or {})}
    plan = RunPlan(
        isthmus="0.1.0",
        settings=Settings.model_validate(options).model_dump(mode="json"),
        samples=plans,
        cohort={},
        rules={"segment_pack": _prediction(900), "report": _prediction(700)},
    )
    write_plan(plan, paths.plan)
    if cohort:
        _write_cohort(paths, pd.concat(tables), types=types, umap=umap, clusters=clusters)
        _write_comparison(paths, tested=tested_types, corrected=corrected)
    _write_jobs(paths, samples)
    return paths


def _prediction(memory_mb):
    return Prediction(jobs=1, workers=1, memory_mb=memory_mb, minutes=1, core_hours=0.1, files=3)


def _plan(name, shape, channels, *, transcripts, tested, sheet):
    return SamplePlan(
        sheet={"sample": name, "image": "image.tif", "transcripts": "t.csv", "extra": {}, **sheet},
        reader="generic (TIFF)",
        notes=("the file has no pixel size",),
        tested_on_real_files=tested,
        shape=(len(channels), *shape),
        dtype="uint16",
        channels=tuple(channels),
        affine=(SPACING, 0, 100, 0, SPACING, 50),
        z_step_um=1.0,
        window_start=(0, 0, 0),
        window_stop=shape,
        grid=Grid(shape, (1, 256, 256)),
        packs=1,
        has_points=transcripts,
        n_vendor_cells=None,
        digests={"import_image": "1"},
    )


def _labels(shape, *, shift):
    """Squares of 14 pixels every 20; none in the lower right quarter; nuclei of 8 pixels inside."""
    cells, nuclei = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
    number = 0
    for y in range(2 + shift, shape[1] - CELL, PITCH):
        for x in range(2, shape[2] - CELL, PITCH):
            if y > shape[1] // 2 and x > shape[2] // 2:
                continue
            number += 1
            cells[:, y : y + CELL, x : x + CELL] = number
            nuclei[:, y + 3 : y + 11, x + 3 : x + 11] = number
    return nuclei, cells


def _write_images(sample, nuclei, cells, channels):
    noise = np.random.default_rng(0).integers(100, 400, nuclei.shape)
    pixels = np.stack([(nuclei > 0) * 3000 + noise for _ in channels]).astype(np.uint16)
    for level, factor in enumerate(level_factors(nuclei.shape)):
        if level:
            nuclei, cells = (halve(labels, "nearest") for labels in (nuclei, cells))
            pixels = np.stack([halve(channel, "mean") for channel in pixels])
        shape = level_shape(nuclei.shape, (1, 1, 1))
        whole = Region((0, 0, 0), shape)
        size = {"shape": shape, "chunk": (1, 256, 256), "shard": (1, 256, 256)}
        for name, labels in (("nuclei", nuclei), ("cells", cells)):
            create_level(sample.labels / name / str(level), dtype=np.dtype("uint16"), **size).write(
                whole, labels
            )
        image = create_level(
            sample.image / str(level), dtype=np.dtype("uint16"), n_channels=len(channels), **size
        )
        for channel in range(len(channels)):
            image.write(whole, pixels[channel], channel)
        assert factor[1] == 2**level


def _table(name, cells, *, failed, volume, transcripts):
    ids = np.unique(cells)[1:].astype(np.int64)
    middle = cells[cells.shape[0] // 2]
    centres = np.array([np.argwhere(middle == i).mean(axis=0) + 0.5 for i in ids]).reshape(-1, 2)
    x, y = Affine(SPACING, 0, 100, 0, SPACING, 50).to_um(centres[:, 1], centres[:, 0])
    size = "volume_um3" if volume else "area_um2"
    passed = np.arange(len(ids)) >= failed
    obs = pd.DataFrame(
        {
            "instance_id": ids,
            "sample": pd.Categorical([name] * len(ids)),
            size: 49.0,
            f"nucleus_{size}": 16.0,
            "n_counts": 20 + ids % 30 if transcripts else 0 * ids,
            "n_genes": 5 + ids % 7,
            "qc_pass": passed,
            "qc_reason": pd.Categorical(np.where(passed, "", "min_counts"), categories=["", "min_counts"]),
        },
        index=[f"{name}-{i}" for i in ids],
    )
    return AnnData(X=np.zeros((len(ids), 2), np.float32), obs=obs, obsm={"spatial": np.column_stack([x, y])})


def _write_table(table, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*storing .* as categorical.*")
        table.write_h5ad(path)


def _write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def _write_records(sample, table, channels, *, transcripts, vendor):
    percentiles = {"1": 100, "99.9": 3300}
    _write_json(sample.survey, {"channels": {name: {"percentiles": percentiles} for name in channels}})
    _write_json(sample.record("assess_quality"), _quality(table.obs))
    numbers = {"n_cells": table.n_obs}
    if transcripts:
        points = {"genes": ["A", "B"], "n_rows": 1000, "n_in_image": 1000, "n_in_window": 990}
        _write_json(sample.record("import_transcripts"), points)
        numbers["transcripts"] = {
            "by_kind": {
                "gene": {"none": 100, "nucleus": 300, "cytoplasm": 400},
                "control": {"none": 5, "nucleus": 2, "cytoplasm": 3},
                "low_quality": {"none": 50, "nucleus": 60, "cytoplasm": 70},
            },
            "n_outside_image": 10,
        }
        if vendor:
            numbers["transcripts"]["vendor"] = {
                "n_cells": table.n_obs,
                "n_vendor_cells": 77,
                "nucleus_recall": 0.8125,
                "nucleus_precision": None,
                "n_assigned_by_both": 600,
                "n_assigned_by_vendor": 650,
                "n_assigned_here": 700,
                "adjusted_rand_index": 0.75,
            }
    _write_json(sample.record("build_table"), numbers)
    _write_json(sample.seams, seams_record())


def seams_record(**changes):
    """A certificate of three windows."""
    windows = [
        {"box_px": [128 * i, 0, 128 * i + 256, 256], "differing_pixels": 0, "cells": 9} for i in range(3)
    ]
    record = {"seed": 77, "axes": "yx", "windows": windows, "differing_pixels": 0, "cells_at_seams": 31}
    return {**record, "skipped": [], "statement": "How it was done.", **changes}


def _quality(obs):
    passed = obs[obs["qc_pass"]]
    metrics = {}
    for name in (column for column in obs if column.startswith(("n_", "area", "volume", "nucleus"))):
        edges = np.histogram_bin_edges(obs[name], bins=8)
        metrics[name] = {
            "before": {"n": len(obs), "min": _known(obs[name].min()), "max": _known(obs[name].max())},
            "after": {"n": len(passed), "median": _known(passed[name].median())},
            "histogram": {
                "edges": edges.tolist(),
                "before": np.histogram(obs[name], edges)[0].tolist(),
                "after": np.histogram(passed[name], edges)[0].tolist(),
            },
        }
    failed = len(obs) - len(passed)
    return {
        "cells": len(obs),
        "passed": len(passed),
        "genes": 2,
        "genes_detected": 1,
        "thresholds": {"min_counts": 10, "max_counts": None, "min_genes": 5, "max_control_fraction": 0.05},
        "removed": {"min_counts": failed, "min_genes": 0, "max_control_fraction": 0},
        "missed": {"min_counts": failed, "min_genes": 1, "max_control_fraction": 0},
        "metrics": metrics,
    }


def _known(value):
    return None if np.isnan(value) else float(value)


def _write_cohort(paths, obs, *, types, umap, clusters):
    obs = obs[obs["qc_pass"]].copy()
    n = len(obs)
    names = [str(i) for i in range(clusters)]
    obs["sample"] = obs["sample"].astype("category")
    obs["leiden"] = pd.Categorical(np.array(names)[np.arange(n) % clusters], categories=names)
    by = "leiden"
    if types:
        by = "cell_type"
        obs["cell_type"] = pd.Categorical(np.array(TYPES)[np.arange(n) % 4], categories=TYPES)
        obs["cell_type_confidence"] = np.linspace(0.3, 1, n)
    table = AnnData(X=np.zeros((n, 2), np.float32), obs=obs)
    table.obsm["spatial"] = obs[["x", "y"]].to_numpy()
    points = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    table.obsm["X_umap"] = points if umap else np.full((n, 2), np.nan, np.float32)
    table.uns["isthmus"] = {"neighbourhood": {"by": by, "max_distance_um": 30.0, "n_permutations": 100}}
    _write_table(table, paths.cohort_table)
    paths.cohort.mkdir(parents=True, exist_ok=True)
    rows = [(c, f"G{c}{g}", 5.0 - g, 2.0, 0.01) for c in names for g in range(3)] if clusters > 1 else []
    markers = pd.DataFrame(rows, columns=["cluster", "gene", "score", "logfoldchange", "pval_adj"])
    markers.to_csv(paths.cohort / "markers.tsv", sep="\t", index=False)
    kinds = TYPES if types else names
    pairs = [(a, b, 10, 4.5, 3.0 if a == b else -1.5, 40) for a in kinds for b in kinds]
    columns = ["type_a", "type_b", "observed", "expected", "z_score", "n_pairs"]
    pd.DataFrame(pairs, columns=columns).to_csv(paths.cohort / "neighbourhood.tsv", sep="\t", index=False)


def _write_comparison(paths, *, tested, corrected):
    table = anndata.read_h5ad(paths.cohort_table)
    after = [0.8, 0.7] if corrected else [np.nan] * 2
    rows = {"measure": ["batch_lisi", "neighbours_kept"], "about": ["mixing", "conservation"]}
    table.uns["integration"] = pd.DataFrame({**rows, "before": [0.1234, 1.0], "after": after})
    table.uns["niches"] = pd.DataFrame(
        {"niche": ["0", "1"], "n_cells": [30, 10], **dict.fromkeys(TYPES, 0.25)}
    )
    met = {"type_a": ["T", "B"], "type_b": ["T", "T"], "from_um": 0.0, "to_um": 20.0, "n_pairs": [90, 3]}
    table.uns["co_occurrence"] = pd.DataFrame({**met, "ratio": [3.217, 9.0]})
    genes = {"gene": ["KRT8", "ACTB"], "morans_i": [0.61, 0.01], "z_score": [30.0, 0.1]}
    table.uns["spatial_genes"] = pd.DataFrame({**genes, "p_value": [1e-9, 0.4], "p_adjusted": [2e-9, 0.4]})
    record = {"batch_column": "sample", "n_batches": 2, "done": corrected, "theta": 2.0, "max_rounds": 10}
    table.uns["isthmus"]["integration"] = record
    table.uns["isthmus"]["composition"] = {"transform": "arcsine", "note": "4 samples of 2 conditions"}
    _write_table(table, paths.cohort_table)
    p = [0.5, 0.0123] if tested else [np.nan] * 2
    shares = pd.DataFrame(
        {"type": ["T", "B"], "n_cells": [30, 10], "share_ill": [0.7, 0.3], "share_well": [0.9, 0.1]}
    )
    tests = {"statistic": p, "df": p, "p_value": p, "p_adjusted": p}
    shares.assign(**tests).to_csv(paths.composition, sep="\t", index=False)


def _write_jobs(paths, samples):
    paths.jobs.mkdir(parents=True, exist_ok=True)
    used = {"files": 4, "cpu_s": 12.5, "wall_s": 8.25, "max_rss_mb": 640.0}
    for number, sample in enumerate(samples):
        job = {"rule": "segment_pack", "sample": sample, "pack": "1-of-1"}
        notes = [
            {**job, "time": 1_790_000_000 + number, "status": "running"},
            {**job, "time": 1_790_000_010 + number, "status": "failed", **used},
            {**job, "time": 1_790_000_020 + number, "status": "running"},
            {**job, "time": 1_790_000_030 + number, "status": "done", **used},
        ]
        text = "\n".join(json.dumps(note) for note in notes) + '\n{"cut sho'
        (paths.jobs / f"segment_pack.{sample}.1-of-1.jsonl").write_text(text)
