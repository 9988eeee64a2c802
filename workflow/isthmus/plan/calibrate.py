"""Fit the constants of the cost model to the records of runs: `python -P -m isthmus.plan.calibrate RESULTS ...`.

Each results folder must still have its `work/` (`execution.keep_intermediates: true`). CPU seconds and memory come
from the histories of the jobs and from what the journals noted of every block, storage from the files themselves. No
constant is negative, and relative errors count: a run of a minute matters as much as one of an hour.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.optimize import nnls

from isthmus.packs.journal import Journal
from isthmus.plan.cost import CONSTANTS, KINDS, terms
from isthmus.plan.model import RunPlan, read_plan
from isthmus.plan.paths import RunPaths, SamplePaths
from isthmus.plan.rules import IN_PACKS, PER_RUN, POOLED
from isthmus.plan.size import Size

_MB = 1e6
MEMORY = ("fixed_mb", "worker_mb")
_BY_BORDER = ("segment_pack", "certify_seams")


@dataclass(frozen=True)
class Seen:
    """What was measured of a rule: the sizes that it goes by (0 for those that do not matter), and the value."""

    kind: str
    rule: str
    sizes: Mapping[str, float]
    value: float


def observe(results: Path) -> Iterator[Seen]:
    """Everything that a results folder tells.

    Where the diameter of nuclei was measured the plan knows the largest border only, not the one that was read with.
    """
    paths = RunPaths(results.resolve())
    plan = read_plan(paths.plan)
    segmentation = plan.settings["segmentation"]
    measured = segmentation["method"] == "basins" and segmentation["basins"]["measure_diameter"]
    rows = [row for row in _last_ends(paths) if not (measured and row["rule"] in _BY_BORDER)]
    sizes = {name: _true_size(plan, name, paths) for name in plan.samples}
    for name, size in sizes.items():
        of = paths.sample(name)
        for rule in {row["rule"] for row in rows if row["sample"] == name}:
            mine = [row for row in rows if row["rule"] == rule and row["sample"] == name]
            yield from _observe_jobs(plan, rule, size, mine)
            yield Seen("storage_mb", rule, terms(size), _megabytes(rule, of))
        for rule in {*IN_PACKS} - {*(_BY_BORDER if measured else ())}:
            yield from _observe_workers(plan, paths, name, rule, size)
    whole = {
        key: sum(terms(size)[key] for size in sizes.values()) for key in terms(next(iter(sizes.values())))
    }
    whole |= {"job": 1.0, "worker": 1.0}
    for row in rows:
        if row["rule"] in PER_RUN:
            yield Seen("cpu_s", row["rule"], whole, float(row["cpu_s"]))
            yield Seen("fixed_mb", row["rule"], whole, float(row["max_rss_mb"]))
            yield Seen("storage_mb", row["rule"], whole, _megabytes_of_run(row["rule"], paths))


def _last_ends(paths: RunPaths) -> Iterator[Mapping[str, Any]]:
    """What each job used the last time that it ended well."""
    for history in sorted(paths.jobs.glob("*.jsonl")):
        notes = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
        done = [note for note in notes if note["status"] == "done"]
        if done:
            yield done[-1]


def _true_size(plan: RunPlan, name: str, paths: RunPaths) -> Size:
    """The sample's sizes, with the instances that were found."""
    if not plan.sample(name).has_image:
        return Size.of(plan.sample(name), plan.settings)
    found = json.loads(paths.sample(name).record("stitch_labels").read_text())["n_instances"]
    return Size.of(plan.sample(name), plan.settings, n_instances=int(found))


def _observe_jobs(plan: RunPlan, rule: str, size: Size, rows: Sequence[Mapping[str, Any]]) -> Iterator[Seen]:
    workers = plan.rules[rule].workers if rule in POOLED else 1
    named = terms(size, jobs=len(rows), workers=len(rows) * workers)
    yield Seen("cpu_s", rule, named, sum(float(row["cpu_s"]) for row in rows))
    if rule == "build_pyramid" and not size.halved_mpix:
        return  # it has had no workers
    largest = max(float(row["max_rss_mb"]) for row in rows)
    one = terms(size)
    in_workers = {key: workers * one[key] for key in KINDS["worker_mb"].get(rule, ())}
    yield Seen("fixed_mb", rule, {**one, **in_workers}, largest)


def _observe_workers(plan: RunPlan, paths: RunPaths, name: str, rule: str, size: Size) -> Iterator[Seen]:
    """The largest worker, as the journal has it; it holds no part of the job that is not a worker's."""
    journal = Journal(paths.sample(name).journal(rule), paths.root)
    entries = journal.finished(plan.digest(rule, name), look_at_files=False).values()
    if entries:
        only = {key: terms(size)[key] for key in KINDS["worker_mb"][rule]}
        yield Seen("fixed_mb", rule, only, max(entry.max_rss_mb for entry in entries))


def _megabytes(rule: str, of: SamplePaths) -> float:
    """What a rule has left of a sample."""
    levels = [
        path
        for folder in (of.image, of.labels / "nuclei", of.labels / "cells")
        for path in folder.glob("[0-9]*")
        if path.name != "0"
    ]
    places: dict[str, Sequence[Path]] = {
        "import_image": (of.image / "0", of.histograms),
        "import_transcripts": (of.points,),
        "segment_pack": (of.local_labels, of.work / "segment_pack"),
        "stitch_labels": (of.lookup,),
        "quantify_pack": (of.labels / "nuclei" / "0", of.labels / "cells" / "0", of.work / "quantify_pack"),
        "build_pyramid": levels,
        "build_table": (of.raw_table, of.raw_spots, of.transcripts),
        "build_outlines": (of.outlines,),
        "count_reads": (of.counted_reads,),
        "import_counts": (of.counted_table,),
        "assess_quality": (of.table, of.spots),
        "join_modalities": (of.modalities,),
        "profile_wells": (of.wells,),
    }
    return sum(_size(place) for place in places.get(rule, ())) / _MB


def _megabytes_of_run(rule: str, paths: RunPaths) -> float:
    places: dict[str, Iterable[Path]] = {
        "build_index": (paths.index,),
        "integrate_cohort": (paths.cohort / "joined.h5ad",),
        "analyse": (paths.cohort / "analysed.h5ad",),
        "annotate": (paths.cohort_table, paths.pseudobulk, paths.composition),
        "join_omics": paths.cohort.glob("*.h5mu"),
        "analyse_omics": paths.cohort_table.parent.glob("*.h5mu"),
        "report": (paths.report, paths.resources),
    }
    return sum(_size(place) for place in places[rule]) / _MB


def _size(place: Path) -> int:
    if place.is_dir():
        return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    return place.stat().st_size if place.is_file() else 0


def fit(seen: Sequence[Seen]) -> dict[str, dict[str, dict[str, float]]]:
    """Constants by kind, rule and term."""
    made: dict[str, dict[str, dict[str, float]]] = {kind: {} for kind in KINDS}
    for kind in ("cpu_s", "storage_mb"):
        for rule, names in KINDS[kind].items():
            made[kind][rule] = _fit(names, [one for one in seen if (one.kind, one.rule) == (kind, rule)])
    for rule, names in KINDS["fixed_mb"].items():
        in_workers = KINDS["worker_mb"].get(rule, ())
        found = _fit(
            (*names, *in_workers), [one for one in seen if (one.kind, one.rule) == ("fixed_mb", rule)]
        )
        made["fixed_mb"][rule] = {name: found[name] for name in names if name in found}
        if in_workers:
            made["worker_mb"][rule] = {name: found[name] for name in in_workers if name in found}
    return made


def _fit(names: Sequence[str], seen: Sequence[Seen]) -> dict[str, float]:
    """The non-negative constants whose sums come nearest to the values, relative to these."""
    used = [one for one in seen if one.value > 0]
    if not used:
        return {}
    values = np.array([one.value for one in used])
    sizes = np.array([[one.sizes.get(name, 0.0) for name in names] for one in used])
    factors, _ = nnls(sizes / values[:, np.newaxis], np.ones(len(used)))
    return {name: float(f"{factor:.4g}") for name, factor in zip(names, factors, strict=True) if factor > 0}


def compare(seen: Sequence[Seen], constants: Mapping[str, Any]) -> Iterator[str]:
    """For every rule how far the fitted sums are from what was measured: the extremes of predicted / measured."""
    for kind, say in (("cpu_s", "CPU s"), ("fixed_mb", "memory MB"), ("storage_mb", "storage MB")):
        for rule in KINDS[kind]:
            factors: dict[str, float] = dict(constants[kind].get(rule, {}))
            if kind == "fixed_mb":
                factors |= constants["worker_mb"].get(rule, {})
            ratios = [
                sum(factor * one.sizes.get(name, 0.0) for name, factor in factors.items()) / one.value
                for one in seen
                if (one.kind, one.rule) == (kind, rule) and one.value > 0
            ]
            if ratios:
                yield f"{rule:20} {say:10} {min(ratios):.2f} to {max(ratios):.2f}"


def calibrate(
    folders: Sequence[Path],
    more: Sequence[Seen] = (),
    *,
    only_memory: bool = False,
    say: Callable[[str], object] = sys.stdout.write,
) -> None:
    """Fit to results folders and what else was measured, write `constants.yaml`, say how well it fits.

    Rules that the folders have nothing of keep their constants. only_memory: all but memory stays too, because CPU
    seconds that were measured beside other work are too many.
    """
    seen = [*(one for folder in folders for one in observe(folder)), *more]
    before = yaml.safe_load(CONSTANTS.read_text(encoding="utf-8"))
    kinds = MEMORY if only_memory else tuple(KINDS)
    made = {kind: before[kind] for kind in KINDS}
    for kind in kinds:
        made[kind] |= {rule: constants for rule, constants in fit(seen)[kind].items() if constants}
    today = time.strftime("%Y-%m-%d", time.gmtime())
    fitted = {kind: today if kind in kinds else before["fitted"][kind] for kind in KINDS}
    head = {"fitted": fitted, "runs": len(folders)}
    text = "# Written by `python -P -m isthmus.plan.calibrate`; what the terms are: plan/cost.py.\n"
    CONSTANTS.write_text(text + yaml.safe_dump({**head, **made}, sort_keys=False), encoding="utf-8")
    for line in compare(seen, made):
        say(f"{line}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -P -m isthmus.plan.calibrate")
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS")
    parser.add_argument("--only-memory", action="store_true", help="leave constants of CPU time and storage")
    given = parser.parse_args()
    calibrate(given.results, only_memory=given.only_memory)
