"""A record of every published file, kept beside the results, so that damage is found when `work/` has been deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from isthmus.launch.jobs import JobState, State, job_states, published_jobs
from isthmus.packs.journal import WrittenFile
from isthmus.plan.model import RunPlan
from isthmus.plan.paths import RunPaths
from isthmus.steps.job import write_json
from isthmus.steps.stored import as_record

_VERSION = 1


def note_published(plan: RunPlan, paths: RunPaths) -> None:
    """Write size and CRC-32 of what every job that is done has left outside `work/`."""
    before = published_jobs(paths)
    jobs = {
        job.name: _entry(plan, paths, job, before.get(job.name, {}))
        for job in job_states(plan, paths)
        if job.state is State.DONE
    }
    if jobs and jobs != before:
        _write(paths, jobs)


def find_lost(plan: RunPlan, paths: RunPaths) -> dict[str, list[str]]:
    """Published files that are missing or damaged, by sample ("" for the cohort), of jobs whose history is gone.

    Where the history is there, it says more. Files of another plan are not looked at.
    """
    lost: dict[str, list[str]] = {}
    for name, entry in published_jobs(paths).items():
        rule, sample = entry["rule"], entry["sample"]
        if (paths.jobs / f"{name}.jsonl").exists() or _digest(plan, rule, sample) != entry["digest"]:
            continue
        wrong = [path for path, (size, crc) in entry["files"].items() if not _intact(paths, path, size, crc)]
        if wrong:
            lost.setdefault(sample, []).extend(wrong)
    return lost


def forget(paths: RunPaths, sample: str) -> None:
    """Drop the results of a sample ("" for the cohort) that the workflow names, and then what is noted of them.

    With `work/` gone nothing less can be made again. Killed in between, the next run does the same.
    """
    of = paths.sample(sample)
    files = (
        (of.table, of.spots, of.outlines, of.seams, of.image / "zarr.json")
        if sample
        else (paths.cohort_table, paths.pseudobulk, paths.composition, paths.structures, paths.report)
    )
    for file in files:
        file.unlink(missing_ok=True)
    _write(paths, {name: job for name, job in published_jobs(paths).items() if job["sample"] != sample})


def _entry(plan: RunPlan, paths: RunPaths, job: JobState, before: Mapping[str, Any]) -> dict[str, Any]:
    """What is noted of one job: as before, unless it has run since."""
    time, digest = job.note.get("time"), job.note["digest"]
    same = before.get("time") == time and before.get("digest") == digest
    files, noted = before.get("files", {}), before.get("time")
    if job.note["status"] != "removed" and not same:
        with suppress(OSError, ValueError):  # harmed meanwhile: the next run sees to it
            files, noted = dict(_files(plan, paths, job)), time
    return {"rule": job.rule, "sample": job.sample, "time": noted, "digest": digest, "files": files}


def _label_heads(plan: RunPlan, paths: RunPaths, sample: str) -> Iterator[Path]:
    """Metadata of the arrays of all label images."""
    for path in plan.sample(sample).image_paths:
        yield from paths.sample(sample).labels_at(path).glob("*/*/zarr.json")


def _files(plan: RunPlan, paths: RunPaths, job: JobState) -> Iterator[tuple[str, list[int]]]:
    """(path, [size, CRC-32]): what the job's record names, its outputs, and the heads of the label arrays."""
    outputs = [paths.root / path for path in job.note.get("outputs", {})]
    for output in outputs:
        if output.suffix == ".json" and output.is_relative_to(paths.work):
            shards = dict(json.loads(output.read_text())).get("shards", {})
            yield from ((path, record) for path, record in shards.items() if not path.startswith("work/"))
    published = [output for output in outputs if not output.is_relative_to(paths.work)]
    if job.rule == "build_pyramid":
        published += _label_heads(plan, paths, job.sample)
    yield from as_record(WrittenFile.of(paths.root, file) for file in published).items()


def _intact(paths: RunPaths, path: str, size: int, crc: int) -> bool:
    return WrittenFile(path, size, crc).intact(paths.root)


def _digest(plan: RunPlan, rule: str, sample: str) -> str | None:
    """The digest of a step in the plan; None where the plan lacks it."""
    if sample:
        return plan.samples[sample].digests.get(rule) if sample in plan.samples else None
    return plan.cohort.get(rule)


def _write(paths: RunPaths, jobs: Mapping[str, Any]) -> None:
    write_json(paths.published, {"version": _VERSION, "jobs": jobs})
